// The events of a response's stream with their sequence numbers. The numbers come from the ledger's, so a client can
// continue after a number at any process: no stream leaves out the end of what the client has seen in part. Pure.

import type { EventRecord, MessageRecord } from "@dari/contract";
import type { StreamItem } from "@dari/control/outbound";
import type { ResponseEvent } from "./output-item.ts";
import { renderResponse, responseIdOf, type AcceptedMessage, type ResponseContext } from "./response.ts";
import { TurnOutput } from "./turn-output.ts";

/** Numbers between two events of the ledger, for previews. More previews are left out: they can be lost anyway. */
const numbersPerEvent = 1_000_000;

const lastTypes: readonly string[] = ["message.completed", "message.failed", "message.cancelled"];

export interface ResponseStream {
  /** Returns the text of the stream's events that an item becomes; empty if there are none. */
  readonly render: (item: StreamItem) => string;
  /** Returns the event of a stream that was cut before its last event; empty if it was not. */
  readonly interrupt: () => string;
  /** Returns how many bytes it keeps of what it has shown. */
  readonly keptBytes: () => number;
}

/** `after`: leaves out events up to this sequence number, which a client has seen already. */
export function createResponseStream(
  { id, created_at }: Pick<MessageRecord, "id" | "created_at">,
  context: ResponseContext,
  after = -1,
): ResponseStream {
  const output = new TurnOutput(responseIdOf(id));
  let accepted: AcceptedMessage | undefined;
  let first = 0;
  let base = 0;
  let next = 0;
  let isStarted = false;
  let isEnded = false;

  const show = (type: string, turn?: MessageRecord): ResponseEvent[] => {
    if (accepted === undefined) return [];
    return [{ type, response: renderResponse(accepted, turn, output.items, context) }];
  };
  const takeEvent = (event: EventRecord): ResponseEvent[] => {
    if (event.type === "user.message" && event.message_id === id) {
      const { metadata } = event.data;
      accepted = { id, status: "queued", metadata, created_at };
      return show("response.created");
    }
    if (event.type === "attempt.started" && accepted !== undefined && !isStarted) {
      isStarted = true;
      accepted = { ...accepted, status: "running" };
      return [...output.take(event), ...show("response.in_progress")];
    }
    if (!lastTypes.includes(event.type)) return output.take(event);
    const turn = event.data as MessageRecord;
    // Another message's turn answers this one, and its events follow.
    if ((turn.merged_into ?? turn.delivered_in) !== undefined) return [];
    isEnded = true;
    const events = output.end(turn.status === "completed" ? turn.output : null, context.session.id);
    return [...events, ...show(endTypes[turn.status] ?? "response.failed", turn)];
  };

  return {
    render(item) {
      if (item.kind === "event") {
        if (first === 0) first = item.event.sequence_number;
        next = base = (item.event.sequence_number - first) * numbersPerEvent;
      } else if (next >= base + numbersPerEvent / 2) return "";
      const events = item.kind === "event" ? takeEvent(item.event) : output.preview(item.preview);
      let text = "";
      for (const event of events) {
        // A preview's number must not be one that the client has seen as another event.
        if (item.kind === "preview") next = Math.max(next, after + 1);
        // The last event has the same number in every stream, whatever previews were seen.
        if (isLast(event)) next = base + numbersPerEvent - 1;
        const number = next++;
        if (number <= after) continue;
        const { type, ...fields } = event;
        text += `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...fields })}\n\n`;
      }
      return text;
    },
    interrupt() {
      if (isEnded) return "";
      const type = "error";
      const error = interruption(`response ${responseIdOf(id)}`);
      // OpenAI's clients throw for the field `error`. Otherwise the stream would look complete.
      const { code, message, param } = error;
      const data = { type, sequence_number: Math.max(next, after + 1), code, message, param, error };
      return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    },
    keptBytes: () => output.keptBytes,
  };
}

/** The error of a stream that was cut before the end of its turn. `what`: names what the client can read. */
export function interruption(what: string): Readonly<Record<string, string | null>> {
  const why = "the process stops or streams too much, the key was revoked, or the session was deleted";
  const message = `the stream was cut before the end of the turn (${why}); read ${what}, do not send the request again`;
  return { message, type: "server_error", param: null, code: "stream_interrupted" };
}

function isLast({ type }: ResponseEvent): boolean {
  return Object.values(endTypes).includes(type);
}

/** OpenAI has no event for a cancelled response: the response's status says it. */
const endTypes: Readonly<Partial<Record<MessageRecord["status"], string>>> = {
  completed: "response.completed",
  failed: "response.failed",
  cancelled: "response.incomplete",
};

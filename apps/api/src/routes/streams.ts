// Streams of events: of a session, of one message, and as a timeline.

import { renderList } from "@dari/contract";
import { followMessage, followSession, type StreamItem } from "@dari/control/outbound";
import { getMessage, getTranscript } from "@dari/control/turns";
import type { Call, Handlers } from "../http/call.ts";
import { readLimit } from "../http/query.ts";
import { sendEvents, type SendOptions } from "../http/sse.ts";
import { readSequenceNumber } from "../http/sequence-number.ts";

export const streamHandlers: Handlers<"streamMessage" | "streamSession" | "getTranscript"> = {
  streamMessage: (call) => streamMessageTo(call, call.params.message_id),

  async streamSession(call) {
    const { control, actor, params } = call;
    const options = { afterSequenceNumber: resumeAfter(call) ?? 0, signal: endOf(call) };
    await sendItems(call, await followSession(control, actor, params.session_id, options));
  },

  async getTranscript({ control, actor, params, query }) {
    const page = await getTranscript(control, actor, {
      sessionId: params.session_id,
      afterSequenceNumber: readSequenceNumber(query["after"] ?? "0", "after"),
      limit: readLimit(query),
      includesToolCalls: query["include"] === "tool_calls",
    });
    return renderList("entries", page);
  },
};

type StreamCall = Pick<Call, "control" | "actor" | "signal" | "settings" | "query" | "request" | "response">;

/** Called before an action whose result is streamed. @throws AppError as the stream itself would. */
export function checkStream(call: Pick<Call, "control" | "actor" | "request" | "query">): void {
  resumeAfter(call);
  call.control.streams.check(call.actor.organizationId, call.actor.sessionToken?.id);
}

/**
 * Streams a message's events as the reply, up to its last one. Answers 204 if the message has ended, which keeps
 * browsers from reconnecting. If `promised`, the stream can no longer be refused.
 */
export async function streamMessageTo(
  call: StreamCall,
  messageId: string,
  { promised }: { readonly promised: boolean } = { promised: false },
): Promise<void> {
  const { control, actor, response } = call;
  const options = { afterSequenceNumber: resumeAfter(call), signal: endOf(call), promised };
  const items = await followMessage(control, actor, await getMessage(control, actor, messageId), options);
  if (items === undefined) response.status(204).end();
  else await sendItems(call, items);
}

/** Streams items as the reply. `form`: what becomes of them (default: as `/v1` shows them). */
export async function sendItems(
  call: StreamCall,
  items: AsyncGenerator<StreamItem, void, void>,
  form: Pick<SendOptions, "render" | "finish" | "keptBytes"> = {},
): Promise<void> {
  const { control, actor, response, settings } = call;
  const hold = (bytes: number) => control.streams.hold(actor.organizationId, bytes);
  const keep = (bytes: number) => control.streams.keep(actor.organizationId, bytes);
  await sendEvents(items, { response, settings, hold, keep, ...form });
}

/** HEAD requests get only the headers. */
export function endOf({ request, signal }: Pick<Call, "request" | "signal">): AbortSignal {
  return request.method === "HEAD" ? AbortSignal.abort() : signal;
}

/** Returns `Last-Event-ID`, which a browser sends when it reconnects, or `after_seq`. */
function resumeAfter({ request, query }: Pick<Call, "request" | "query">): number | undefined {
  const last = request.get("last-event-id");
  if (last !== undefined && last !== "") return readSequenceNumber(last, "Last-Event-ID");
  const after = query["after_seq"];
  if (after === undefined) return undefined;
  return readSequenceNumber(after, "after_seq");
}

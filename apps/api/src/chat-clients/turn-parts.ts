// What a turn shows of itself, for chat clients: the output items of a turn, its inputs, and how it ends. Each client's
// protocol is an encoder of these parts. Pure.

import type { EventRecord, MessageRecord } from "@dari/contract";
import type { StreamItem } from "@dari/control/outbound";
import { limits } from "@dari/domain";
import type { ResponseEvent, ShownItem } from "../openai/output-item.ts";
import { responseIdOf } from "../openai/response.ts";
import { TurnOutput, type TurnEvent } from "../openai/turn-output.ts";
import { inputIdOf } from "./ids.ts";

/** A tool call as the ledger has it. */
export interface RequestedCall {
  /** Unique in the session. */
  readonly id: string;
  readonly name: string;
  /** The agent's id of the call. */
  readonly callId: string;
  /** The MCP server. */
  readonly server: string | undefined;
  readonly input: unknown;
}

/** A question of the agent. Its message waits for the answer. */
export interface AskedInput {
  /** Unique in the session. */
  readonly id: string;
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly prompt: string | null;
  readonly expiresAt: string;
  /** The call that the answer allows or refuses. */
  readonly call: RequestedCall | undefined;
  /** Set if a limit of the message was reached, and the platform asks. */
  readonly budget: unknown;
}

export type TurnPart =
  | { readonly kind: "run_started" }
  | { readonly kind: "run_ended"; readonly outcome: string }
  | { readonly kind: "text_started" | "text_ended" | "reasoning_started" | "reasoning_ended"; readonly id: string }
  | { readonly kind: "text_delta" | "reasoning_delta"; readonly id: string; readonly delta: string }
  | { readonly kind: "call_started"; readonly id: string; readonly name: string }
  | { readonly kind: "call_delta"; readonly id: string; readonly delta: string }
  | { readonly kind: "call_requested"; readonly call: RequestedCall }
  | { readonly kind: "call_completed"; readonly id: string; readonly result: unknown }
  | { readonly kind: "call_failed"; readonly id: string; readonly error: string }
  | { readonly kind: "file"; readonly sessionId: string; readonly path: string }
  | { readonly kind: "data"; readonly type: string; readonly value: unknown }
  | { readonly kind: "agent_event"; readonly name: string; readonly value: unknown }
  | { readonly kind: "input_requested"; readonly input: AskedInput }
  | { readonly kind: "input_answered"; readonly input: AskedInput; readonly value: unknown }
  | { readonly kind: "waiting" }
  | { readonly kind: "completed"; readonly usage: Readonly<Record<string, number>> | undefined }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | { readonly kind: "cancelled" };

/** Events that are shown as they are. */
const dataTypes: readonly string[] = [
  "plan.updated",
  "agent.handoff",
  "subagent.started",
  "subagent.completed",
  "message.steered",
];

/** Events that the history of a turn is made from, besides those of `TurnOutput`. */
export const shownEventTypes: readonly string[] = [
  ...dataTypes,
  "agent.event",
  "attempt.started",
  "input.requested",
  "input.submitted",
];

const lastTypes: readonly string[] = ["message.completed", "message.failed", "message.cancelled"];

const lostCall = "the turn or its attempt ended before this call returned";

type Fields = Readonly<Record<string, unknown>>;

/** Keeps what `TurnOutput` keeps of a turn, and `limits.pageBytes` of data. */
export class TurnParts {
  readonly #messageId: string;
  readonly #output: TurnOutput;
  /** Texts and reasoning that have no text yet. They are not shown. */
  readonly #empty = new Set<string>();
  /** Calls that have no result yet, by the id of their item. */
  readonly #calls = new Map<string, RequestedCall>();
  /** By their ids: a stream can show the inputs of several messages, and their keys can be equal. */
  readonly #inputs = new Map<string, AskedInput>();
  #dataBytes = 0;

  constructor(messageId: string) {
    this.#messageId = messageId;
    this.#output = new TurnOutput(responseIdOf(messageId));
  }

  /** How many bytes it keeps, without data. */
  get keptBytes(): number {
    return this.#output.keptBytes;
  }

  /** Takes an item of the message's stream. */
  takeItem(item: StreamItem): TurnPart[] {
    if (item.kind === "event") return this.take(item.event);
    return this.#output.preview(item.preview).flatMap((event) => this.#translate(event, {}));
  }

  take(event: TurnEvent | EventRecord): TurnPart[] {
    const { type } = event;
    // The ledger stores events in the contract's form.
    const fields = event.data as Fields;
    if (lastTypes.includes(type)) return this.end(event.data as MessageRecord);
    const shown = this.#output.take(event).flatMap((one) => this.#translate(one, fields));
    switch (type) {
      case "attempt.started":
        return [...shown, { kind: "run_started" }];
      case "attempt.ended":
        return [...shown, { kind: "run_ended", outcome: String(fields["outcome"]) }];
      case "message.status_changed":
        return fields["status"] === "waiting_for_input" ? [{ kind: "waiting" }] : [];
      case "input.requested":
        return [{ kind: "input_requested", input: this.#ask(fields, this.#messageOf(event)) }];
      case "input.submitted":
        return this.#answer(fields, this.#messageOf(event));
      case "agent.event":
        return this.#fits(fields)
          ? [{ kind: "agent_event", name: String(fields["name"]), value: fields["data"] ?? null }]
          : [];
      default:
        return dataTypes.includes(type) && this.#fits(fields) ? [{ kind: "data", type, value: fields }] : shown;
    }
  }

  /** Ends the turn. `turn`: the record of the message, which has ended. */
  end(turn: Pick<MessageRecord, "status" | "output" | "session_id" | "merged_into" | "delivered_in">): TurnPart[] {
    // Another message's turn answers this one, and its events follow.
    if ((turn.merged_into ?? turn.delivered_in) !== undefined) return [];
    const answer = turn.status === "completed" ? turn.output : null;
    const shown = this.#output.end(answer, turn.session_id).flatMap((event) => this.#translate(event, {}));
    return [...shown, endOf(turn)];
  }

  #translate(event: ResponseEvent, fields: Fields): TurnPart[] {
    const itemId = String(event["item_id"]);
    const delta = String(event["delta"]);
    switch (event.type) {
      case "response.output_item.added":
        return this.#open(event["item"] as ShownItem);
      case "response.output_text.delta":
        return this.#grow("text", itemId, delta);
      case "response.reasoning_summary_text.delta":
        return this.#grow("reasoning", itemId, delta);
      case "response.mcp_call_arguments.delta":
        return [{ kind: "call_delta", id: callIdOf(itemId), delta }];
      case "response.mcp_call_arguments.done":
        return [this.#request(itemId, fields)];
      case "response.mcp_call.completed":
        this.#calls.delete(itemId);
        return [{ kind: "call_completed", id: callIdOf(itemId), result: fields["result"] ?? null }];
      case "response.mcp_call.failed":
        this.#calls.delete(itemId);
        return [{ kind: "call_failed", id: callIdOf(itemId), error: textOf(fields["result"]) }];
      case "response.output_text.annotation.added":
        return [fileOf(event["annotation"] as Fields)];
      case "response.output_item.done":
        return this.#close(event["item"] as ShownItem);
      default:
        return [];
    }
  }

  #open(item: ShownItem): TurnPart[] {
    const id = String(item["id"]);
    if (item.type === "mcp_call") return [{ kind: "call_started", id: callIdOf(id), name: String(item["name"]) }];
    this.#empty.add(id);
    return [];
  }

  #grow(what: "text" | "reasoning", id: string, delta: string): TurnPart[] {
    const started: TurnPart[] = this.#empty.delete(id) ? [{ kind: `${what}_started`, id }] : [];
    return [...started, { kind: `${what}_delta`, id, delta }];
  }

  #close(item: ShownItem): TurnPart[] {
    const id = String(item["id"]);
    if (item.type === "mcp_call") {
      this.#calls.delete(id);
      return item["status"] === "incomplete" ? [{ kind: "call_failed", id: callIdOf(id), error: lostCall }] : [];
    }
    if (this.#empty.delete(id)) return [];
    return [{ kind: item.type === "reasoning" ? "reasoning_ended" : "text_ended", id }];
  }

  #request(itemId: string, fields: Fields): TurnPart {
    const server = fields["server"] as string | undefined;
    const [name, callId] = [String(fields["name"]), String(fields["call_id"])];
    const call = { id: callIdOf(itemId), name, callId, server, input: fields["arguments"] };
    this.#calls.set(itemId, call);
    return { kind: "call_requested", call };
  }

  /** `messageId`: the message that waits. Another message can have become part of it. */
  #ask(fields: Fields, messageId: string): AskedInput {
    const key = String(fields["key"]);
    const input = {
      id: inputIdOf(messageId, key),
      key,
      schema: fields["schema"] as Fields,
      prompt: fields["prompt"] as string | null,
      expiresAt: String(fields["expires_at"]),
      budget: fields["budget"],
      call: [...this.#calls.values()].find(({ callId }) => key.startsWith(approvalKeyOf(callId))),
    };
    this.#inputs.set(input.id, input);
    return input;
  }

  #answer(fields: Fields, messageId: string): TurnPart[] {
    const input = this.#inputs.get(inputIdOf(messageId, String(fields["key"])));
    return input === undefined ? [] : [{ kind: "input_answered", input, value: fields["value"] }];
  }

  #messageOf(event: TurnEvent | EventRecord): string {
    return ("message_id" in event ? event.message_id : undefined) ?? this.#messageId;
  }

  #fits(fields: Fields): boolean {
    this.#dataBytes += Buffer.byteLength(JSON.stringify(fields));
    return this.#dataBytes <= limits.pageBytes;
  }
}

/** The beginning of the key with which exported agents ask for the approval of a call. */
function approvalKeyOf(callId: string): string {
  return `approve-${callId.replaceAll(/[^A-Za-z0-9._:-]/g, "-").slice(-80)}-`;
}

/** An item's id has the message's id and a number, so it is unique in the session. */
function callIdOf(itemId: string): string {
  return itemId.replace(/^mcp_/, "call_");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function fileOf(annotation: Fields): TurnPart {
  return { kind: "file", sessionId: String(annotation["container_id"]), path: String(annotation["file_id"]) };
}

function endOf({ status, output }: Pick<MessageRecord, "status" | "output">): TurnPart {
  if (status === "completed") return { kind: "completed", usage: output?.usage };
  if (status === "cancelled") return { kind: "cancelled" };
  const { code = "failed", message = "the turn failed" } = output?.error ?? {};
  return { kind: "failed", code, message };
}

// Streams one turn as a chat client's protocol.

import { followMessage, type StreamItem } from "@dari/control/outbound";
import { getMessage } from "@dari/control/turns";
import type { Call } from "../http/call.ts";
import { endOf, sendItems } from "../routes/streams.ts";
import { isAsked } from "./answer-question.ts";

/** Makes one client's text of a turn. */
export interface TurnText {
  /** Returns the text that an item becomes, which can be empty. */
  render(item: StreamItem): string;
  /** Returns the text that ends the stream, also one that was cut before the end of its turn. */
  finish(): string;
  /** Whether the client has all of the turn: it has ended, or waits for an answer. */
  readonly isOver: boolean;
  /** How many bytes it keeps of what it has shown. */
  readonly keptBytes: number;
}

type StreamingCall = Pick<Call, "control" | "actor" | "signal" | "settings" | "query" | "request" | "response">;

/** Streams a message's turn from its acceptance on. If `promised`, the stream can no longer be refused. */
export async function sendTurn(
  call: StreamingCall,
  messageId: string,
  { text, promised }: { readonly text: TurnText; readonly promised: boolean },
): Promise<void> {
  const options = { afterSequenceNumber: undefined, signal: endOf(call), promised };
  const { control, actor } = call;
  const items = await followMessage(control, actor, await getMessage(control, actor, messageId), options);
  if (items === undefined) throw new Error("a message has events from its acceptance on");
  const form = {
    render: (item: StreamItem) => text.render(item),
    finish: () => text.finish(),
    keptBytes: () => text.keptBytes,
  };
  await sendItems(call, untilOver(call, items, text), form);
}

/**
 * An item is rendered before the next one is asked for. Leaves out waits that are over: a turn that is shown again does
 * not stop at an input that no longer waits.
 */
async function* untilOver(
  { control, actor }: Pick<StreamingCall, "control" | "actor">,
  items: AsyncGenerator<StreamItem, void, void>,
  text: TurnText,
): AsyncGenerator<StreamItem, void, void> {
  /** The last key that each message has asked for. */
  const keys = new Map<string, string>();
  for await (const item of items) {
    if (item.kind === "event") {
      const { event } = item;
      const messageId = event.message_id ?? "";
      if (event.type === "input.requested") keys.set(messageId, event.data.key);
      const key = keys.get(messageId);
      const isWait = event.type === "message.status_changed" && event.data.status === "waiting_for_input";
      if (isWait && key !== undefined && !(await isAsked(control, actor, { messageId, key }))) continue;
    }
    yield item;
    if (text.isOver) return;
  }
}

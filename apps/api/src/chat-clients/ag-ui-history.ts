// A session's conversation as messages of the AG-UI protocol.

import type { MessagePart } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { limits } from "@dari/domain";
import { AgUiEvents, type AgUiEvent } from "./ag-ui-events.ts";
import { readHistory, type Exchange } from "./history.ts";

type Message = Record<string, unknown> & { readonly id: unknown; readonly role: string };

/** Returns the event with the newest messages. What a running turn has shown so far is not in it. */
export async function readSnapshot(control: Control, actor: Actor, sessionId: string): Promise<AgUiEvent> {
  const query = { sessionId, limit: limits.listLimitDefault, before: undefined };
  const { shown: messages } = await readHistory(control, actor, query, renderExchange);
  return { type: "MESSAGES_SNAPSHOT", messages };
}

function renderExchange({ message, parts = [] }: Exchange): Message[] {
  const events = new AgUiEvents({ run: { threadId: "", runId: "" }, messageId: message.id });
  const shown = parts.flatMap((part) => events.encode(part));
  return [{ id: message.id, role: "user", content: contentOf(message.parts) }, ...foldEvents(shown)];
}

function contentOf(parts: readonly MessagePart[]): unknown {
  const [first] = parts;
  if (parts.length === 1 && first?.type === "text") return first.text;
  return parts.map((part) => {
    if (part.type === "text") return { type: "text", text: part.text };
    const source = { type: "file", value: part.file_id };
    return { type: part.type === "image" ? "image" : "document", source };
  });
}

/** Makes of events the messages that clients make of them. Each call is a message of its own. */
export function foldEvents(events: readonly AgUiEvent[]): Message[] {
  const messages: Message[] = [];
  const byId = new Map<unknown, Message>();
  const add = (message: Message) => {
    byId.set(message.id, message);
    messages.push(message);
  };
  for (const { type, messageId: id, toolCallId, delta, ...fields } of events) {
    const open = byId.get(id ?? toolCallId);
    if (type === "TEXT_MESSAGE_START") add({ id, role: "assistant", content: "" });
    if (type === "REASONING_MESSAGE_START") add({ id, role: "reasoning", content: "" });
    if (type === "TEXT_MESSAGE_CONTENT" || type === "REASONING_MESSAGE_CONTENT") {
      if (open !== undefined) open["content"] = `${String(open["content"])}${String(delta)}`;
    }
    if (type === "TOOL_CALL_START") {
      const called = { name: fields["toolCallName"], arguments: "" };
      add({ id: toolCallId, role: "assistant", toolCalls: [{ id: toolCallId, type: "function", function: called }] });
    }
    if (type === "TOOL_CALL_ARGS") {
      const [call] = (open?.["toolCalls"] ?? []) as { function: { arguments: string } }[];
      if (call !== undefined) call.function.arguments += String(delta);
    }
    if (type === "TOOL_CALL_RESULT") add({ id, role: "tool", toolCallId, content: fields["content"] });
  }
  return messages;
}

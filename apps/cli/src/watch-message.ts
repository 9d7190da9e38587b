// Shows a turn in the terminal as it happens: its answer on stdout, everything else on stderr.

import { isLedgerEvent, isTerminal, type Client, type StreamedEvent } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Io } from "./context.ts";

export interface WatchedEnd {
  readonly record: MessageRecord;
  /** The text that stdout has been given of the attempt that ended the message. */
  readonly shownText: string;
}

/** Resolves with the message's terminal record; of a merged message, with that of the one it became part of. */
export async function watchMessage(
  api: Client,
  messageId: string,
  options: { readonly io: Io; readonly signal: AbortSignal; readonly logs: boolean },
): Promise<WatchedEnd> {
  const { io, signal } = options;
  let shownText = "";
  for await (const event of api.streamMessage(messageId, { signal })) {
    const text = deltaOf(event);
    if (text !== undefined) {
      shownText += text;
      io.stdout.write(text);
    } else if (event.type === "log") {
      if (options.logs) io.stderr.write(String(event.data["text"] ?? ""));
    } else if (event.type === "input.requested") {
      const { key, prompt } = event.data;
      io.stderr.write(`waits for ${String(key)}${typeof prompt === "string" ? `: ${prompt}` : ""}\n`);
      io.stderr.write(`answer with: dari message answer ${messageId} ${String(key)} --value <json>\n`);
    } else if (event.type === "attempt.ended" && event.data["outcome"] !== "completed") {
      if (shownText !== "" && !shownText.endsWith("\n")) io.stdout.write("\n");
      shownText = "";
      io.stderr.write(`attempt ended: ${String(event.data["outcome"])}\n`);
    } else if (event.type === "agent.event") {
      io.stderr.write(`${String(event.data["name"])} ${JSON.stringify(event.data["data"])}\n`);
    }
    const record = isLedgerEvent(event) ? recordOf(event.type, event.data) : undefined;
    if (record !== undefined && record.merged_into === undefined) return { record, shownText };
  }
  throw new Error("the stream ended before the message; run the command again");
}

function deltaOf(event: StreamedEvent): string | undefined {
  return event.type === "assistant.text_delta" ? String(event.data["text"] ?? "") : undefined;
}

function recordOf(type: string, data: Readonly<Record<string, unknown>>): MessageRecord | undefined {
  if (!type.startsWith("message.") || type === "message.status_changed") return undefined;
  const record = data as unknown as MessageRecord;
  return isTerminal(record) ? record : undefined;
}

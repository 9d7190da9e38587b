// Shows a turn in the terminal while it runs: its answer on stdout, everything else on stderr.

import { type Client, isMessageEnd } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Io } from "./context.ts";

export interface WatchedEnd {
  readonly record: MessageRecord;
  /** The text printed to stdout of the attempt that ended the message. */
  readonly shownText: string;
}

/** Resolves with the message's final record; for a merged message, with that of the one it was merged into. */
export async function watchMessage(
  api: Client,
  messageId: string,
  options: { readonly io: Io; readonly signal: AbortSignal; readonly logs: boolean },
): Promise<WatchedEnd> {
  const { io, signal } = options;
  let shownText = "";
  for await (const event of api.streamMessage(messageId, {}, { signal })) {
    if (event.type === "assistant.text_delta") {
      shownText += event.data.text;
      io.stdout.write(event.data.text);
    } else if (event.type === "log") {
      if (options.logs) io.stderr.write(event.data.text);
    } else if (event.type === "input.requested") {
      const { key, prompt } = event.data;
      io.stderr.write(`waits for ${key}${prompt === null ? "" : `: ${prompt}`}\n`);
      io.stderr.write(`answer with: dari message answer ${messageId} ${key} --value <json>\n`);
    } else if (event.type === "attempt.ended" && event.data.outcome !== "completed") {
      if (shownText !== "" && !shownText.endsWith("\n")) io.stdout.write("\n");
      shownText = "";
      io.stderr.write(`attempt ended: ${event.data.outcome}\n`);
    } else if (event.type === "agent.event") {
      io.stderr.write(`${event.data.name} ${JSON.stringify(event.data.data)}\n`);
    } else if (isMessageEnd(event) && event.data.merged_into === undefined) {
      return { record: event.data, shownText };
    }
  }
  throw new Error(
    `the stream ended before message ${messageId} did; see its status with: dari message get ${messageId}`,
  );
}

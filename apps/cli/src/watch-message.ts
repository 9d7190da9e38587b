// Shows a turn in the terminal while it runs: its answer on stdout, everything else on stderr.

import { type Client, isMessageEnd } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Io } from "./context.ts";
import { textFor } from "./controls.ts";
import { toolLine } from "./tool-line.ts";

export interface WatchedEnd {
  readonly record: MessageRecord;
  /** The text printed to stdout of the attempt that ended the message. */
  readonly shownText: string;
}

/** Resolves with the final record of the message, or of the message that it was merged into. */
export async function watchMessage(
  api: Client,
  messageId: string,
  options: { readonly io: Io; readonly signal: AbortSignal; readonly logs: boolean },
): Promise<WatchedEnd> {
  const { io, signal } = options;
  const show = (text: string): void => void io.stdout.write(textFor(io.stdout, text));
  const tell = (text: string): void => void io.stderr.write(textFor(io.stderr, text));
  let shownText = "";
  for await (const event of api.streamMessage(messageId, {}, { signal })) {
    const line = toolLine(event);
    if (line !== undefined) tell(`${line}\n`);
    else if (event.type === "assistant.text_delta") {
      // A preview can be lost. What follows it is shown with the end.
      if (event.data.offset !== shownText.length) continue;
      shownText += event.data.text;
      show(event.data.text);
    } else if (event.type === "log") {
      if (options.logs) tell(event.data.text);
    } else if (event.type === "input.requested") {
      const { key, prompt } = event.data;
      tell(`waits for ${key}${prompt === null ? "" : `: ${prompt}`}\n`);
      tell(`answer with: dari message answer ${messageId} ${key} --value <json>\n`);
    } else if (event.type === "attempt.ended" && event.data.outcome !== "completed") {
      if (shownText !== "" && !shownText.endsWith("\n")) show("\n");
      shownText = "";
      tell(`attempt ended: ${event.data.outcome}\n`);
    } else if (event.type === "agent.event") {
      tell(`${event.data.name} ${JSON.stringify(event.data.data)}\n`);
    } else if (isMessageEnd(event) && event.data.merged_into === undefined) {
      return { record: event.data, shownText };
    }
  }
  throw new Error(
    `the stream ended before message ${messageId} did; see its status with: dari message get ${messageId}`,
  );
}

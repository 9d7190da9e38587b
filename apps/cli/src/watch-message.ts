// Shows a turn in the terminal while it runs: its answer on stdout, everything else on stderr.

import { isLedgerEvent, isMessageEnd } from "@dari/client";
import type { MessageRecord, StreamedEvent } from "@dari/contract";
import { activityLine, oneLine } from "./activity-line.ts";
import { answerCommand } from "./answer-command.ts";
import { createAnswerText, textOfAnswer } from "./answer-text.ts";
import type { Io } from "./context.ts";
import { textFor } from "./controls.ts";
import { hasStyles, paint, type Style } from "./style.ts";

export interface WatchedEnd {
  readonly record: MessageRecord;
  /** What was printed to stdout of the answer. */
  readonly shownText: string;
}

export interface WatchOptions {
  readonly io: Io;
  /** Whether arguments, results and reasoning are shown, up to 2,000 characters of each. */
  readonly isVerbose: boolean;
  /** Called with the message's id before anything is shown. */
  readonly onAccepted: (messageId: string) => Promise<void>;
}

/**
 * Shows the events of one message's turn. Resolves with the final record of the message, or of the message that it was
 * merged into or delivered in.
 */
export async function watchMessage(events: AsyncIterable<StreamedEvent>, options: WatchOptions): Promise<WatchedEnd> {
  const { isVerbose, onAccepted } = options;
  const print = createPrinter(options.io);
  const answer = createAnswerText();
  let messageId: string | undefined;
  for await (const event of events) {
    if (messageId === undefined && isLedgerEvent(event) && event.message_id !== undefined) {
      messageId = event.message_id;
      await onAccepted(messageId);
    }
    const line = activityLine(event, isVerbose);
    if (line !== undefined) print.line(line.text, line.isFailure ? "error" : "dim");
    else if (event.type === "assistant.text_delta") print.answer(answer.push(event.data));
    else if (event.type === "assistant.message" && event.data.parent_call_id === undefined) {
      print.answer(answer.noteAside(event.data.text));
      if (answer.isEmpty) print.endLine();
    } else if (event.type === "log") print.log(event.data.text);
    else if (event.type === "input.requested") {
      const { key, prompt } = event.data;
      print.line(`waits for ${key}${prompt === null ? "" : `: ${prompt}`}`);
      print.line(`answer with: ${answerCommand(event.message_id, event.data)}`);
    } else if (event.type === "attempt.ended" && event.data.outcome !== "completed") {
      print.endLine();
      answer.reset();
      print.line(`attempt ended: ${event.data.outcome}`);
    } else if (event.type === "agent.event") {
      print.line(`${oneLine(event.data.name)} ${JSON.stringify(event.data.data)}`);
    } else if (event.type === "message.steered" && event.message_id === messageId) {
      print.line(`delivered in the turn of ${event.data.into}`);
    } else if (isMessageEnd(event)) {
      if ((event.data.merged_into ?? event.data.delivered_in) !== undefined) continue;
      const shownText = answer.shownOf(textOfAnswer(event.data));
      if (shownText === "") print.endLine();
      return { record: event.data, shownText };
    }
  }
  const message = messageId === undefined ? "the message" : `message ${messageId}`;
  throw new Error(
    `the stream ended before ${message} did; see its status with: dari message get ${messageId ?? "@last"}`,
  );
}

function createPrinter(io: Io) {
  const { stdout, stderr } = io;
  const isStyled = hasStyles(io, stderr);
  let isMidLine = false;
  const tell = (text: string): void => void stderr.write(text);
  return {
    /** Prints a piece of the answer. */
    answer(text: string): void {
      if (text === "") return;
      stdout.write(textFor(stdout, text));
      isMidLine = !text.endsWith("\n");
    },
    /** Ends the answer's unfinished line, if there is one. */
    endLine(): void {
      this.answer(isMidLine ? "\n" : "");
    },
    line(text: string, style?: Style): void {
      // On a terminal, the line would be written into the answer.
      if (stdout.isTTY === true) this.endLine();
      const shown = textFor(stderr, text);
      tell(`${isStyled && style !== undefined ? paint(style, shown) : shown}\n`);
    },
    log: (text: string): void => tell(textFor(stderr, text)),
  };
}

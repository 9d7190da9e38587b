// What of an answer has been shown while it streamed. Previews can be lost, and also have text that the model wrote
// before its tool calls, which is not part of the answer.

import type { MessageRecord } from "@dari/contract";

export interface AnswerText {
  /** Whether nothing of the answer itself was streamed. */
  readonly isEmpty: boolean;
  /** Returns what to show of a preview: nothing after one was lost. What follows it is shown with the end. */
  push(preview: { readonly text: string; readonly offset: number }): string;
  /** Notes text that is not part of the answer. Returns what to show of it: nothing if it was streamed. */
  noteAside(text: string): string;
  /** Returns how much of the final answer was streamed: its beginning, or text that is different. */
  shownOf(answer: string): string;
  /** A new attempt writes its answer again. */
  reset(): void;
}

export function createAnswerText(): AnswerText {
  let streamed = "";
  /** Where the answer begins in what was streamed. */
  let start = 0;
  return {
    get isEmpty() {
      return streamed.length === start;
    },
    push({ text, offset }) {
      if (offset !== streamed.length) return "";
      streamed += text;
      return text;
    },
    noteAside(text) {
      const at = streamed.indexOf(text, start);
      if (at < 0) return text;
      start = at + text.length;
      return "";
    },
    shownOf(answer) {
      const shown = streamed.slice(start);
      // Text of earlier requests, of which no event has come, is followed by the answer.
      return shown.endsWith(answer) ? answer : shown;
    },
    reset() {
      streamed = "";
      start = 0;
    },
  };
}

/** Returns the text parts of a message's answer. */
export function textOfAnswer({ output }: Pick<MessageRecord, "output">): string {
  return (output?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

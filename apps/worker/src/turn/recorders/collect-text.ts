// Collects the agent's text, without secrets. The text is shown as it arrives, and stored if the turn is interrupted
// before the agent answers.

import { limits, type Scrubber } from "@dari/domain";
import type { OutputPart } from "@dari/harness";
import { createTextsScrubber } from "../scrub/scrub-texts.ts";

export interface TextCollector {
  /**
   * Adds the next piece, of the message `ordinal`. Pieces of several messages may alternate. Text above
   * `limits.partialTextBytes` is not stored.
   */
  add(text: string, ordinal?: number): void;
  /**
   * Shows the text that was held back because the next piece could have completed a secret. 8 characters or more are
   * replaced like a secret. `isCut`: the agent was stopped before its end, so fewer stay hidden.
   */
  end(options: { readonly isCut: boolean }): void;
  /** Returns the collected text as one part, message by message, or no part if there is no text. */
  parts(): OutputPart[];
}

/** Messages of which text is stored. */
const messagesMax = 10_000;

/** `show`: called with each text that can be shown, in order. */
export function createTextCollector(
  scrubber: Scrubber,
  show: (text: string, ordinal: number | undefined) => void,
): TextCollector {
  const texts = createTextsScrubber<number | undefined>(scrubber);
  const messages = new Map<number | undefined, string>();
  let bytes = 0;
  const addScrubbed = (ordinal: number | undefined, text: string): void => {
    if (text === "") return;
    bytes += Buffer.byteLength(text);
    const stored = messages.get(ordinal);
    if (stored !== undefined && bytes <= limits.partialTextBytes) messages.set(ordinal, stored + text);
    show(text, ordinal);
  };
  return {
    add(text, ordinal) {
      // The order of the messages is that of their first pieces, also if nothing of a piece can be shown yet.
      if (!messages.has(ordinal) && messages.size < messagesMax) messages.set(ordinal, "");
      addScrubbed(ordinal, texts.write(ordinal, text));
    },
    end(options) {
      for (const [ordinal, rest] of texts.end(options)) addScrubbed(ordinal, rest);
    },
    parts() {
      const text = [...messages.values()].join("");
      return text === "" ? [] : [{ type: "text", text }];
    },
  };
}

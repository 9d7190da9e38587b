// Collects the agent's text, without secrets. The text is shown as it arrives, and stored if the turn is interrupted
// before the agent answers.

import { limits, type ScrubStream } from "@dari/domain";
import type { OutputPart } from "@dari/harness";

export interface TextCollector {
  /** Adds the next piece. Text above `limits.partialTextBytes` is not stored. */
  add(text: string): void;
  /** Shows the text that was held back because the next piece could have completed a secret. */
  end(): void;
  /** Returns the collected text as one part, or no part if there is no text. */
  parts(): OutputPart[];
}

/** `show`: called with each text that can be shown, in order. */
export function createTextCollector(scrub: ScrubStream, show: (text: string) => void): TextCollector {
  const pieces: string[] = [];
  let bytes = 0;
  const addScrubbed = (text: string): void => {
    if (text === "") return;
    bytes += Buffer.byteLength(text);
    if (bytes <= limits.partialTextBytes) pieces.push(text);
    show(text);
  };
  return {
    add: (text) => addScrubbed(scrub.write(text)),
    end: () => addScrubbed(scrub.end()),
    parts() {
      const text = pieces.join("");
      return text === "" ? [] : [{ type: "text", text }];
    },
  };
}

// Collects the agent's text, without secrets. The text is shown as it arrives, and stored if the turn is interrupted
// before the agent answers.

import { limits, type Scrubber } from "@dari/domain";
import type { OutputPart } from "@dari/harness";

export interface TextCollector {
  /** Adds the next piece, of the message `ordinal`. Text above `limits.partialTextBytes` is not stored. */
  add(text: string, ordinal?: number): void;
  /** Shows the text that was held back because the next piece could have completed a secret. */
  end(): void;
  /** Returns the collected text as one part, or no part if there is no text. */
  parts(): OutputPart[];
}

/** `show`: called with each text that can be shown, in order. */
export function createTextCollector(
  scrubber: Scrubber,
  show: (text: string, ordinal: number | undefined) => void,
): TextCollector {
  let stream = scrubber.stream();
  let current: number | undefined;
  const pieces: string[] = [];
  let bytes = 0;
  const addScrubbed = (text: string): void => {
    if (text === "") return;
    bytes += Buffer.byteLength(text);
    if (bytes <= limits.partialTextBytes) pieces.push(text);
    show(text, current);
  };
  return {
    add(text, ordinal) {
      if (ordinal !== current) {
        // Text that is held back belongs to the message before.
        addScrubbed(stream.end());
        stream = scrubber.stream();
        current = ordinal;
      }
      addScrubbed(stream.write(text));
    },
    end: () => addScrubbed(stream.end()),
    parts() {
      const text = pieces.join("");
      return text === "" ? [] : [{ type: "text", text }];
    },
  };
}

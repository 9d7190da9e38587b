// The agent's text so far, without its secrets: shown as it arrives, and stored if the turn is interrupted before it
// answers.

import { limits, type ScrubStream } from "@dari/domain";
import type { OutputPart } from "@dari/harness";

export interface TextCollector {
  /** Adds the next piece. Text above `limits.partialTextBytes` is not stored. */
  add(text: string): void;
  /** Shows what was waiting for a next piece. */
  end(): void;
  /** One text part, or none. */
  parts(): OutputPart[];
}

/** `show` gets what can be shown now, in order. */
export function createTextCollector(scrub: ScrubStream, show: (text: string) => void): TextCollector {
  const pieces: string[] = [];
  let bytes = 0;
  const take = (text: string): void => {
    if (text === "") return;
    bytes += Buffer.byteLength(text);
    if (bytes <= limits.partialTextBytes) pieces.push(text);
    show(text);
  };
  return {
    add: (text) => take(scrub.write(text)),
    end: () => take(scrub.end()),
    parts() {
      const text = pieces.join("");
      return text === "" ? [] : [{ type: "text", text }];
    },
  };
}

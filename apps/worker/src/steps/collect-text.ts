// What an agent has said so far, without its secrets: shown as it comes, and kept for the conversation of a turn that
// is interrupted before it answers.

import { limits, type ScrubStream } from "@dari/domain";
import type { OutputPart } from "@dari/harness";

export interface TextCollector {
  /** Takes the next piece; of what goes over `limits.partialTextBytes` nothing is kept. */
  add(text: string): void;
  /** What waited for a next piece, which does not come. */
  end(): void;
  /** One text part, or none. */
  parts(): OutputPart[];
}

/** `show` gets what can be shown by now, in order. */
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

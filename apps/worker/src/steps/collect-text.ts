// What an agent has said so far, for the conversation of a turn that is interrupted before it answers.

import { limits } from "@dari/domain";
import type { OutputPart } from "@dari/harness";

export interface TextCollector {
  /** Takes the next piece; what goes over `limits.partialTextBytes` is left out from there on. */
  add(text: string): void;
  /** One text part, or none. */
  parts(): OutputPart[];
}

export function createTextCollector(): TextCollector {
  const pieces: string[] = [];
  let bytes = 0;
  return {
    add(text) {
      bytes += Buffer.byteLength(text);
      if (bytes <= limits.partialTextBytes) pieces.push(text);
    },
    parts() {
      const text = pieces.join("");
      return text === "" ? [] : [{ type: "text", text }];
    },
  };
}

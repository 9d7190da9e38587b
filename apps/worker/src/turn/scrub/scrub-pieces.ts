// Removes secrets from previews of reasoning and of tool calls' arguments, also from those that are split over several
// pieces.

import type { Scrubber } from "@dari/domain";
import type { AgentPreview } from "@dari/harness";
import { createTextsScrubber } from "./scrub-texts.ts";

export interface PieceScrubber {
  /** Shows the piece. Text that may begin a secret is shown with the next piece of the same reasoning or call. */
  add(piece: AgentPreview): void;
}

/** `show`: called with each piece that can be shown. The last characters of a text may never be: its event has them. */
export function createPieceScrubber(scrubber: Scrubber, show: (piece: AgentPreview) => void): PieceScrubber {
  const texts = createTextsScrubber<string>(scrubber);
  return {
    add(piece) {
      if (piece.type === "reasoning.delta") {
        const { ordinal, text } = piece.data;
        const shown = texts.write(`reasoning ${ordinal}`, text);
        if (shown !== "") show({ type: piece.type, data: { ordinal, text: shown } });
      } else {
        const { call_id, name, text } = piece.data;
        const shown = texts.write(`call ${call_id}`, text);
        const names = { call_id: scrubber.text(call_id), name: scrubber.text(name) };
        if (shown !== "") show({ type: piece.type, data: { ...names, text: shown } });
      }
    },
  };
}

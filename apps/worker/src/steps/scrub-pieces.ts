// Removes secrets from previews of reasoning and of tool calls' arguments, also from those that are split over several
// pieces.

import type { Scrubber, ScrubStream } from "@dari/domain";
import type { AgentPreview } from "@dari/harness";

export interface PieceScrubber {
  /** Shows the piece. Text that may begin a secret is shown with the next piece of the same reasoning or call. */
  add(piece: AgentPreview): void;
}

/** Texts that can be in progress at the same time. */
const openMax = 64;

/** `show`: called with each piece that can be shown. The last characters of a text may never be: its event has them. */
export function createPieceScrubber(scrubber: Scrubber, show: (piece: AgentPreview) => void): PieceScrubber {
  /** The least recently used stream is the first. */
  const streams = new Map<string, ScrubStream>();
  function streamOf(key: string): ScrubStream {
    const stream = streams.get(key) ?? scrubber.stream();
    streams.delete(key);
    streams.set(key, stream);
    for (const oldest of streams.keys()) {
      if (streams.size <= openMax) break;
      streams.delete(oldest);
    }
    return stream;
  }
  return {
    add(piece) {
      if (piece.type === "reasoning.delta") {
        const { ordinal, text } = piece.data;
        const shown = streamOf(`reasoning ${ordinal}`).write(text);
        if (shown !== "") show({ type: piece.type, data: { ordinal, text: shown } });
      } else {
        const { call_id, name, text } = piece.data;
        const shown = streamOf(`call ${call_id}`).write(text);
        const names = { call_id: scrubber.text(call_id), name: scrubber.text(name) };
        if (shown !== "") show({ type: piece.type, data: { ...names, text: shown } });
      }
    },
  };
}

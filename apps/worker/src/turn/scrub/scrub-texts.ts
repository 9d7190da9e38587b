// Removes secrets from texts that arrive in pieces, each with its own stream, because the pieces of several alternate.

import type { Scrubber, ScrubStream } from "@dari/domain";

export interface TextsScrubber<Key> {
  /** Adds a piece of the text `key`. Returns what can be shown of the text now. */
  write(key: Key, piece: string): string;
  /** Ends all texts. Returns the rest of each. `isCut`: the texts were cut. */
  end(options: { readonly isCut: boolean }): [key: Key, rest: string][];
}

/** Texts that can be in progress at the same time. */
const openMax = 64;
/** Texts that were given up. After that, no more texts begin. */
const givenUpMax = 1_000;

/**
 * A text that may be inside a secret is given up if too many others come after it: what is held back of it and its
 * later pieces are not shown. So neither half of a secret is.
 */
export function createTextsScrubber<Key>(scrubber: Scrubber): TextsScrubber<Key> {
  /** The least recently used stream is the first. */
  const streams = new Map<Key, ScrubStream>();
  const givenUp = new Set<Key>();

  /** Removes the oldest stream, if possible one that a new stream can replace without a difference. */
  function removeOne(): void {
    for (const [key, stream] of streams) {
      if (!stream.isOpen()) return void streams.delete(key);
    }
    const [oldest] = streams.keys();
    streams.delete(oldest!);
    givenUp.add(oldest!);
  }
  return {
    write(key, piece) {
      if (piece === "" || givenUp.has(key)) return "";
      const known = streams.get(key);
      if (known === undefined && givenUp.size >= givenUpMax) return "";
      const stream = known ?? scrubber.stream();
      if (known !== undefined) streams.delete(key);
      else if (streams.size >= openMax) removeOne();
      streams.set(key, stream);
      return stream.write(piece);
    },
    end(options) {
      const rests = [...streams].map(([key, stream]): [Key, string] => [key, stream.end(options)]);
      streams.clear();
      return rests;
    },
  };
}

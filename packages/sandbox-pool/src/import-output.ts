// What an agent's code writes while it is loaded to be forked: shown to each turn, as if it had been loaded for that.

import type { Readable } from "node:stream";
import type { Scrubber } from "@dari/domain";

/** Of each stream, what is kept. UTF-16 units. */
export const wordsUnitsMax = 64 * 1024;

interface Said {
  text: string;
  isCut: boolean;
}

/** Where what it wrote is shown. */
export interface ImportLog {
  add(stream: "stdout" | "stderr" | "platform", text: string): void;
}

type Streams = Readonly<Record<"stdout" | "stderr", Readable>>;

export type ImportWords = ReadonlyMap<keyof Streams, Readonly<Said>>;

/** Reads both streams as long as they last, so that nobody blocks on them. */
export function collectWords({ stdout, stderr }: Streams): ImportWords {
  return new Map([
    ["stdout", collect(stdout)],
    ["stderr", collect(stderr)],
  ]);
}

export function showWords(words: ImportWords, scrubber: Scrubber, logs: ImportLog): void {
  for (const [stream, { text, isCut }] of words) {
    if (text !== "") logs.add(stream, scrubber.text(text, { isCut }));
    if (isCut) logs.add("platform", `${stream}: the import wrote more than ${wordsUnitsMax} characters\n`);
  }
}

function collect(stream: Readable): Said {
  const said = { text: "", isCut: false };
  stream.setEncoding("utf8").on("data", (text: string) => {
    const room = wordsUnitsMax - said.text.length;
    said.isCut ||= text.length > room;
    if (room > 0) said.text += text.slice(0, room);
  });
  return said;
}

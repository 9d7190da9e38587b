// What an agent prints while a template loads it. It is shown in the log of each turn that a fork serves, as if the
// turn had loaded the agent.

import type { Readable } from "node:stream";
import type { Scrubber } from "@dari/domain";

/** The output that is stored of each stream, in UTF-16 units. */
export const importOutputMax = 64 * 1024;

interface StreamOutput {
  text: string;
  isCut: boolean;
}

type Streams = Readonly<Record<"stdout" | "stderr", Readable>>;

export type ImportOutput = ReadonlyMap<keyof Streams, Readonly<StreamOutput>>;

/** The log of a turn. */
export interface TurnLog {
  add(stream: "stdout" | "stderr" | "platform", text: string): void;
}

/** Reads both streams to their end, so that no writer blocks. */
export function collectImportOutput({ stdout, stderr }: Streams): ImportOutput {
  return new Map([
    ["stdout", collect(stdout)],
    ["stderr", collect(stderr)],
  ]);
}

export function showImportOutput(output: ImportOutput, scrubber: Pick<Scrubber, "text">, log: TurnLog): void {
  for (const [stream, { text, isCut }] of output) {
    if (text !== "") log.add(stream, scrubber.text(text, { isCut }));
    if (isCut) log.add("platform", `${stream}: the import wrote more than ${importOutputMax} characters\n`);
  }
}

function collect(stream: Readable): StreamOutput {
  const output = { text: "", isCut: false };
  stream.setEncoding("utf8").on("data", (text: string) => {
    const left = importOutputMax - output.text.length;
    output.isCut ||= text.length > left;
    if (left > 0) output.text += text.slice(0, left);
  });
  return output;
}

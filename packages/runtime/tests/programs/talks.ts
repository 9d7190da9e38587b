// A program for the tests of the log: says one line after the other, then on its standard error that it is still there.

import { createLogger } from "../../src/index.ts";

const log = createLogger({ name: "talks" });
let lines = 0;

function talk(): void {
  log.info({ line: (lines += 1) }, "said");
  // In turns of their own: a line that could not be written is known by the next.
  if (lines < 20) setImmediate(talk);
  else process.stderr.write("still here\n");
}

talk();

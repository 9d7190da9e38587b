// A program for the tests of the log: prints one line after the other, then reports on standard error that it still
// runs.

import { createLogger } from "../../src/index.ts";

const log = createLogger({ name: "talks" });
let lines = 0;

function talk(): void {
  log.info({ line: (lines += 1) }, "said");
  // Each line in its own tick, so that the next one knows of a failed write.
  if (lines < 20) setImmediate(talk);
  else process.stderr.write("still here\n");
}

talk();

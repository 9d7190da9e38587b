// A program for the tests of the log: prints a hundred lines, or as many as its argument says, and exits while it is
// still writing.

import { createLogger } from "../../src/index.ts";

const log = createLogger({ name: "last-words" });
const lines = Number(process.argv[2] ?? 100);
for (let line = 1; line <= lines; line++) log.info({ line, padding: "x".repeat(200) }, "said");
// The first lines are being written by now.
setImmediate(() => process.exit(0));

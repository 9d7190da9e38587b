// A program for the tests of the log: says its lines, a hundred or as many as its argument says, and ends itself at
// once, in the middle of its writing.

import { createLogger } from "../../src/index.ts";

const log = createLogger({ name: "last-words" });
const lines = Number(process.argv[2] ?? 100);
for (let line = 1; line <= lines; line++) log.info({ line, padding: "x".repeat(200) }, "said");
// The first lines are on their way by now.
setImmediate(() => process.exit(0));

// A program for the tests of the log: talks for a while, then says on its standard error that it is still there.

import { createLogger } from "../../src/index.ts";

const log = createLogger({ name: "talks" });
let lines = 0;
const timer = setInterval(() => {
  log.info({ line: (lines += 1) }, "said");
  if (lines < 20) return;
  clearInterval(timer);
  process.stderr.write("still here\n");
}, 10);

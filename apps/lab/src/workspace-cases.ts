// Searches for a tree and edits that are not restored as they were saved: the workspace's property test with many more
// cases. Prints one JSON line. Ends with the first seed that fails.
//
//   npm run lab -- workspace-cases [--smoke] [--cases 2000] [--first-seed 1000]

import { openFixture } from "../../../packages/workspace/tests/fixture.ts";
import { runCase } from "../../../packages/workspace/tests/random-case.ts";
import { describeMachine } from "./machine.ts";
import { readFlags } from "./flags.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  cases: { type: "string", default: "2000" },
  "first-seed": { type: "string", default: "1000" },
});
const { values } = flags;

/** Reads a whole number from the command line. */
const cases = values.smoke ? 20 : flags.whole("cases");
const firstSeed = flags.whole("first-seed", 0);
using fixture = openFixture();
const startedAt = performance.now();
for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
  try {
    await runCase(fixture, seed);
  } catch (cause) {
    throw new Error(`seed ${seed} fails: npm run lab -- workspace-cases --cases 1 --first-seed ${seed}`, { cause });
  }
}
const result = { cases, first_seed: firstSeed, failed: 0 };
const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
process.stdout.write(
  `${JSON.stringify({ name: "workspace-cases", machine: describeMachine(), result, seconds, verdict: "passed" })}\n`,
);

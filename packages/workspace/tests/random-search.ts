// A long search with the cases of random-trees.test.ts. Prints one JSON line; ends with the first seed that fails.
//
//   node packages/workspace/tests/random-search.ts [cases] [first seed]

import { openFixture } from "./fixture.ts";
import { runCase } from "./random-case.ts";

const cases = Number(process.argv[2] ?? 2_000);
const firstSeed = Number(process.argv[3] ?? 1_000);

using fixture = openFixture();
const startedAt = performance.now();
for (let seed = firstSeed; seed < firstSeed + cases; seed++) await runCase(fixture, seed);
const seconds = Math.round((performance.now() - startedAt) / 1000);
process.stdout.write(`${JSON.stringify({ name: "random-trees", cases, first_seed: firstSeed, failed: 0, seconds })}\n`);

// Random trees under random edits: every save restores to the same disk, by every way through the chain.
// random-search.ts runs many more of the same cases.

import { afterAll, test } from "@jest/globals";
import { openFixture } from "./fixture.ts";
import { runCase } from "./random-case.ts";

const cases = 300;

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test(`${cases} random trees`, async () => {
  for (let seed = 1; seed <= cases; seed++) await runCase(fixture, seed);
});

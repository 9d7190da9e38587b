// Random trees with random edits: every save is restored to the same disk, by every way through the chain. `npm run lab
// -- workspace-cases` runs many more of the same cases.

import { afterAll, test } from "@jest/globals";
import { testStoreKind } from "@dari/testkit";
import { openFixture } from "./fixture.ts";
import { runCase } from "./random-case.ts";

// Each case has a dozen objects, and requests would take most of the time.
const cases = testStoreKind() === "s3" ? 30 : 100;

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test(`${cases} random trees`, async () => {
  for (let seed = 1; seed <= cases; seed++) await runCase(fixture, seed);
});

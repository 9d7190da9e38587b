// Random trees with random edits: every save is restored to the same disk, by every way through the chain. `npm run lab
// -- workspace-cases` runs many more of the same cases.

import { afterAll, test } from "@jest/globals";
import { testStoreKind } from "@dari/testkit";
import { openFixture } from "./fixture.ts";
import { runCase } from "./random-case.ts";

// Each case has a dozen objects, and requests to a server would take most of the time.
const lastSeed = testStoreKind() === "s3" ? 15 : 30;
const [first, last] = process.env["DARI_TEST_RING"] === "nightly" ? [lastSeed + 1, 200] : [1, lastSeed];

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test("random trees", async () => {
  for (let seed = first; seed <= last; seed++) await runCase(fixture, seed);
}, 300_000);

// The suites of the guests, on each older Node of this machine.

import { expect, test } from "@jest/globals";
import { runtimesOfThisRun } from "./guest-fixture.ts";

const suites = ["turns", "steps", "stopping", "inbox", "activity"];

if (runtimesOfThisRun().length > 0) for (const name of suites) await import(`./${name}.test.ts`);
else test.skip("needs an older Node in /usr/bin or /usr/local/bin", () => expect(suites).toEqual([]));

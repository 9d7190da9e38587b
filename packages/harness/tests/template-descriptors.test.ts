// What a child of a template does before it becomes a guest.

import { expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./programs/takes-descriptors.py", import.meta.url));
const guest = fileURLToPath(new URL("../guest/python", import.meta.url));

test("it has four descriptors, which what it starts has as well", () => {
  const said: unknown = JSON.parse(execFileSync("python3", [program, guest], { encoding: "utf8", timeout: 10_000 }));
  const [inputIsPassedOn, othersAreItsOwn, readFromInput, others] = [true, true, "", []];
  expect(said).toEqual([inputIsPassedOn, othersAreItsOwn, readFromInput, others]);
});

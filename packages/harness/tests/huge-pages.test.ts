// How a template prepares its memory for forks.

import { expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hasHugePages } from "@dari/testkit";

const program = fileURLToPath(new URL("./programs/uses-huge-pages.py", import.meta.url));
const guest = fileURLToPath(new URL("../guest/python", import.meta.url));

test("a child of a Python template shares its heap in huge pages", () => {
  const said = execFileSync("python3", [program, guest], { encoding: "utf8", timeout: 60_000 });
  // On a busy machine, not all of it is done in time.
  expect(Number(said)).toBeGreaterThanOrEqual(hasHugePages ? 2 * 1_024 : 0);
});

// How the programs of PostgreSQL end when a signal ends them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { createLauncher } from "../src/postgres/launcher.ts";

/** A program outside the directory of PostgreSQL's. */
const shell = path.join(...Array<string>(20).fill(".."), "bin/sh") as "initdb";

test("a program that a signal ends is no failure of its own: Ctrl-C can reach it early", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "dari-launcher-"));
  try {
    const { run } = createLauncher(dir, "as-is");
    await expect(run(shell, ["-c", "kill -INT $$"])).rejects.toMatchObject({
      name: "AbortError",
      message: expect.stringMatching(/sh was ended by SIGINT$/),
    });
    await expect(run(shell, ["-c", "echo no >&2; exit 3"])).rejects.toMatchObject({
      name: "Error",
      message: expect.stringMatching(/sh failed: no$/),
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

// What a container image runs when it is built: without settings, a program loads all of its modules and ends.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { root } from "./files.ts";

test.each(["api", "reconciler", "worker"])("%s stores its compiled modules", (program) => {
  const cache = mkdtempSync(path.join(tmpdir(), "dari-compiled-"));
  const env = { PATH: path.dirname(process.execPath), NODE_COMPILE_CACHE: cache };
  const { stderr } = spawnSync(process.execPath, [`apps/${program}/src/main.ts`], { cwd: root, env, encoding: "utf8" });
  const stored = readdirSync(cache, { recursive: true });
  rmSync(cache, { recursive: true });
  expect(stderr).toContain("DATABASE_URL: is required");
  expect(stored.length).toBeGreaterThan(1_000);
});

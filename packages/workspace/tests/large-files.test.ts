// Large files that are read at the same time, as when several turns are saved.

import { afterAll, expect, test } from "@jest/globals";
import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { readChunks } from "../src/directory/large-files.ts";
import { PermissionLoan } from "../src/directory/permission-loan.ts";
import { openFixture } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test("each chunk is encoded from its own file", async () => {
  using loan = new PermissionLoan();
  const dir = fixture.fresh();
  mkdirSync(dir);
  const sizeBytes = 9 * 1024 * 1024;
  const wrong: string[] = [];
  const reading = ["a", "b", "c", "d", "e", "f"].map(async (path) => {
    const place = join(dir, path);
    writeFileSync(place, Buffer.alloc(sizeBytes, path));
    await readChunks({ path, place, sizeBytes, loan }, async ({ sha256, encode }) => {
      const { codec, bytes } = await encode();
      const raw = codec === "stored" ? bytes : zstdDecompressSync(bytes);
      if (hash("sha256", raw) !== sha256) wrong.push(path);
    });
  });
  await Promise.all(reading);
  expect(wrong).toEqual([]);
});

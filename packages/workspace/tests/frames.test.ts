// Frames: altered bytes are refused before decompression. Frames of earlier objects, which have no hash, are checked by
// their contents.

import { afterAll, expect, test } from "@jest/globals";
import { hash, randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { emptyTree, loadTree, restore, SnapshotDamagedError } from "../src/index.ts";
import { decodeFrame, decodeFrameSync, frameBytesMax } from "../src/snapshot/frame.ts";
import { parseSnapshotManifest } from "../src/snapshot/parse-snapshot-manifest.ts";
import { encodeHead, readHead } from "../src/snapshot/snapshot-object.ts";
import type { Frame } from "../src/tree/tree.ts";
import { counting, openFixture, saveDir, writeFiles } from "./fixture.ts";
import { randomFrom } from "./random.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

function frameOf(stored: Buffer, sizeBytes: number, codec: Frame["codec"] = "zstd"): Frame {
  return { objectKey: "k", offset: 0, storedBytes: stored.length, sizeBytes, codec };
}

const text = (bytes: number): Buffer => Buffer.alloc(bytes, randomBytes(997));

test("frames of every size are read back, one after another", () => {
  for (const size of [1, 100, 256 * 1024, 1024 * 1024, 1024 * 1024 + 1, frameBytesMax, 3]) {
    const raw = text(size);
    const stored = zstdCompressSync(raw);
    expect(decodeFrameSync(frameOf(stored, size), stored).equals(raw)).toBe(true);
    expect(decodeFrameSync(frameOf(raw, size, "stored"), raw).equals(raw)).toBe(true);
  }
});

test("a frame with more or less content than it says is damage, and the next one is intact", () => {
  const raw = text(50_000);
  const stored = zstdCompressSync(raw);
  const isDamage = (frame: Frame, bytes = stored): void =>
    expect(() => decodeFrameSync(frame, bytes)).toThrow(SnapshotDamagedError);
  const isWhole = (): void => expect(decodeFrameSync(frameOf(stored, raw.length), stored).equals(raw)).toBe(true);
  for (const size of [raw.length - 1, raw.length + 1, 1, frameBytesMax]) {
    isDamage(frameOf(stored, size));
    isWhole();
  }
  for (const bytes of [stored.subarray(0, -1), stored.subarray(0, 5)]) {
    isDamage(frameOf(bytes, raw.length), bytes);
    isWhole();
  }
  isDamage(frameOf(stored, raw.length), stored.subarray(0, -1));
});

test("an object that is a local file and one that is elsewhere restore the same, and are missing alike", async () => {
  const source = fixture.fresh();
  const names = Array.from({ length: 40 }, (_, i) => `workspace/folder-${i % 3}/file-${i}`);
  writeFiles(source, Object.fromEntries(names.map((name) => [name, randomBytes(50_000)])));
  writeFiles(source, { "workspace/large": randomBytes(9 * 1024 * 1024) });
  const saved = await saveDir(fixture, source, emptyTree);
  const elsewhere = counting(fixture.store);
  for (const store of [fixture.store, elsewhere]) {
    const dir = fixture.fresh();
    await restore({ store, tree: await loadTree(store, [saved]), dir });
    expect((await saveDir(fixture, dir, emptyTree)).treeHash).toBe(saved.treeHash);
  }
  await fixture.store.delete([saved.objectKey]);
  for (const store of [fixture.store, elsewhere]) {
    const failing = restore({ store, tree: saved.tree, dir: fixture.fresh() });
    await expect(failing).rejects.toThrow(`${saved.objectKey}`);
    await expect(failing).rejects.toBeInstanceOf(SnapshotDamagedError);
  }
});

test("bytes that are not what was stored reach no decoder", async () => {
  const raw = text(10_000);
  const stored = zstdCompressSync(raw);
  const frame = { ...frameOf(stored, 10_000), sha256: hash("sha256", stored) };
  expect(decodeFrameSync(frame, stored).equals(raw)).toBe(true);
  const altered = Buffer.from(stored);
  altered[0] = (altered[0] ?? 0) ^ 1;
  expect(() => decodeFrameSync(frame, altered)).toThrow("the frame at 0 is not what was stored");
  await expect(decodeFrame(frame, altered)).rejects.toThrow("the frame at 0 is not what was stored");
});

test("an older release without frame hashes reads the frames, and this one reads the hashes within them", async () => {
  const source = fixture.fresh();
  writeFiles(source, { "workspace/a.txt": text(40_000), "workspace/b.bin": randomBytes(40_000) });
  const saved = await saveDir(fixture, source, emptyTree);
  const { json } = await readHead(fixture.store, saved.objectKey);
  const { frame_hashes: hashes = [], ...manifest } = JSON.parse(json) as {
    frames: unknown[][];
    frame_hashes?: string[];
  };
  // Five values each: with another one, an earlier release treats the object as damaged.
  expect(manifest.frames.map((frame) => frame.length)).toEqual(hashes.map(() => 5));
  const within = manifest.frames.map((frame, i) => [...frame, hashes[i]]);
  const place = { objectKey: saved.objectKey, packStart: 0, packBytes: Number.MAX_SAFE_INTEGER };
  const read = (value: object): unknown => parseSnapshotManifest(JSON.stringify(value), place);
  expect(read({ ...manifest, frames: within })).toEqual(read({ ...manifest, frame_hashes: hashes }));
  expect(() => read({ ...manifest, frame_hashes: hashes.slice(1) })).toThrow("frames and their hashes differ");
  expect(() => read({ ...manifest, frame_hashes: hashes.map(() => "x") })).toThrow("a sha256 is missing");
});

test("an object whose frames have no hash is restored, and each of its files shows that it is the one", async () => {
  const source = fixture.fresh();
  const names = Array.from({ length: 30 }, (_, i) => `workspace/file-${i}`);
  writeFiles(
    source,
    Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? text(40_000) : randomBytes(40_000)])),
  );
  const saved = await saveDir(fixture, source, emptyTree);
  const bytes = await fixture.store.read(saved.objectKey);
  const { header, json } = await readHead(fixture.store, saved.objectKey);
  const manifest = JSON.parse(json) as { frames: unknown[][]; frame_hashes?: unknown[] };
  expect(manifest.frame_hashes?.map((hash) => typeof hash)).toEqual(manifest.frames.map(() => "string"));
  const { frame_hashes: _hashes, ...without } = manifest;
  const pack = bytes.subarray(bytes.length - header.packBytes);
  const head = await encodeHead(JSON.stringify(without), pack.length);

  const good = fixture.fresh();
  await fixture.store.put("old/good", Buffer.concat([head, pack]));
  await restore({ store: fixture.store, tree: await loadTree(fixture.store, [{ objectKey: "old/good" }]), dir: good });
  expect((await saveDir(fixture, good, emptyTree)).treeHash).toBe(saved.treeHash);

  const random = randomFrom(11);
  let damaged = 0;
  for (let i = 0; i < 10; i++) {
    const altered = Buffer.from(pack);
    const at = random.below(pack.length);
    altered[at] = (altered[at] ?? 0) ^ (1 << random.below(8));
    const objectKey = `old/altered-${i}`;
    await fixture.store.put(objectKey, Buffer.concat([head, altered]));
    const dir = fixture.fresh();
    try {
      await restore({ store: fixture.store, tree: await loadTree(fixture.store, [{ objectKey }]), dir });
      // A bit without an effect on the content.
      expect((await saveDir(fixture, dir, emptyTree)).treeHash).toBe(saved.treeHash);
    } catch (error) {
      expect(error).toBeInstanceOf(SnapshotDamagedError);
      damaged++;
    }
  }
  expect(damaged).toBeGreaterThan(5);
});

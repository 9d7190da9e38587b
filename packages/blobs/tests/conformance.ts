// What every blob store must do, whatever its storage.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { BlobNotFoundError, BlobTooLargeError, type BlobStore } from "../src/index.ts";

const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function* pieces(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function* breaking(sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < sizeBytes; sent += MiB) yield randomBytes(MiB);
  throw new Error("the sender went away");
}

async function keysOf(store: BlobStore, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, after)) keys.push(key);
  return keys;
}

/** Declares the suite. `open` returns an empty store; all remaining keys are deleted at the end. */
export function describeBlobStore(name: string, open: () => Promise<BlobStore>): void {
  describe(`blob store: ${name}`, () => {
    let store: BlobStore;
    beforeAll(async () => {
      store = await open();
      await store.check();
      await store.check();
    });
    afterAll(async () => {
      await store.delete(await keysOf(store, ""));
      expect(await keysOf(store, "")).toEqual([]);
      await store.close();
    });
    describeObjects(() => store);
    describeRefusals(() => store);
    describeLists(() => store);
  });
}

function describeObjects(store: () => BlobStore): void {
  const bodies: [string, number, number][] = [
    ["empty", 0, 1],
    ["one byte", 1, 1],
    ["small pieces", 300_000, 7],
    ["one large piece", 20 * MiB + 3, 1],
    ["many pieces", 17 * MiB + 1, 40],
  ];
  test.each(bodies)("keeps a body: %s", async (title, sizeBytes, count) => {
    const body = randomBytes(sizeBytes);
    const step = Math.ceil(sizeBytes / count) || 1;
    const parts = Array.from({ length: count }, (_, i) => body.subarray(i * step, (i + 1) * step));
    const key = `bodies/${title.replaceAll(" ", "_")}`;
    for (const sent of [body, pieces(...parts)]) {
      expect(await store().put(key, sent)).toEqual({ sizeBytes, sha256: sha256(body) });
      expect(sha256(await store().read(key))).toBe(sha256(body));
      expect(await store().head(key)).toEqual({ sizeBytes });
      await store().delete([key]);
      expect(await store().head(key)).toBeUndefined();
    }
  });

  test("reads ranges", async () => {
    const body = randomBytes(100_000);
    await store().put("range", body);
    const ranges = [
      { start: 0 },
      { start: 5 },
      { start: 0, end: 0 },
      { start: 10, end: 99_999 },
      { start: 99_999 },
      { start: 99_000, end: 500_000 },
      { start: 100_000 },
      { start: 200_000, end: 200_001 },
    ];
    for (const range of ranges) {
      const expected = body.subarray(range.start, range.end === undefined ? undefined : range.end + 1);
      expect((await store().read("range", range)).equals(expected)).toBe(true);
      expect((await buffer(await store().get("range", range))).equals(expected)).toBe(true);
    }
    for (const range of [{ start: -1 }, { start: 5, end: 4 }, { start: 0.5 }, { start: Number.NaN }]) {
      await expect(store().read("range", range)).rejects.toThrow(RangeError);
    }
  });

  test("overwrites, and a reader sees one whole body or the other", async () => {
    const [a, b] = [Buffer.alloc(256 * 1024, "a"), Buffer.alloc(256 * 1024, "b")];
    await store().put("over", a);
    const reads = Array.from({ length: 20 }, () => store().read("over"));
    await Promise.all([store().put("over", b), ...reads]);
    for (const read of reads) expect([sha256(a), sha256(b)]).toContain(sha256(await read));
    expect((await store().read("over")).equals(b)).toBe(true);
  });

  test("takes 20 puts at once, also of one key, and deletes beside them", async () => {
    const bodies = Array.from({ length: 20 }, () => randomBytes(50_000));
    await Promise.all(bodies.map((body, i) => store().put(`many/${i}/body`, pieces(body))));
    for (const [i, body] of bodies.entries()) expect(await store().read(`many/${i}/body`)).toEqual(body);
    await Promise.all(bodies.map((body) => store().put("many/same", pieces(body))));
    const winner = await store().read("many/same");
    expect(bodies.some((body) => body.equals(winner))).toBe(true);
    await Promise.all(
      bodies.flatMap((body, i) => [
        store().put(`churn/folder/${i % 2 === 0 ? "kept" : "gone"}-${i}`, body),
        store().delete([`churn/folder/none-${i}`]),
      ]),
    );
    expect(await keysOf(store(), "churn/folder/kept")).toHaveLength(10);
  });
}

function describeRefusals(store: () => BlobStore): void {
  test.each([0.5, 20])("a body too large, of %s MiB, leaves nothing", async (size) => {
    const body = randomBytes(size * MiB);
    for (const sent of [body, pieces(body.subarray(0, 9), body.subarray(9))]) {
      await expect(store().put("big/one", sent, { maxBytes: body.length - 1 })).rejects.toThrow(BlobTooLargeError);
    }
    expect(await keysOf(store(), "big/")).toEqual([]);
    await store().put("big/one", body, { maxBytes: body.length });
    expect(await store().head("big/one")).toEqual({ sizeBytes: body.length });
    await store().delete(["big/one"]);
  });

  test.each([1, 30])("a body that breaks after %s MiB leaves nothing, or what was there", async (size) => {
    await expect(store().put("broken/new", breaking(size * MiB))).rejects.toThrow("the sender went away");
    expect(await store().head("broken/new")).toBeUndefined();
    await store().put("broken/old", Buffer.from("before"));
    await expect(store().put("broken/old", breaking(size * MiB))).rejects.toThrow("the sender went away");
    expect((await store().read("broken/old")).toString()).toBe("before");
    expect(await keysOf(store(), "broken/")).toEqual(["broken/old"]);
  });

  test("missing objects are said to be missing", async () => {
    await expect(store().get("none/such")).rejects.toThrow(BlobNotFoundError);
    await expect(store().read("none/such", { start: 3 })).rejects.toThrow(BlobNotFoundError);
    expect(await store().head("none/such")).toBeUndefined();
    await store().delete(["none/such", "none/other"]);
    await store().delete([]);
  });

  const bad = [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    "a/./b",
    ".",
    "ä",
    "a b",
    "a\0b",
    "a\\b",
    "a%2e",
    "a?b",
    "x".repeat(201),
    "x/".repeat(450) + "x",
  ];
  test.each(bad)("key %j is a TypeError", async (key) => {
    await expect(store().put(key, Buffer.from("x"))).rejects.toThrow(TypeError);
    await expect(store().get(key)).rejects.toThrow(TypeError);
    await expect(store().head(key)).rejects.toThrow(TypeError);
    await expect(store().delete([key])).rejects.toThrow(TypeError);
  });

  test("keys that look odd are keys", async () => {
    for (const key of ["...", "a/..b/c..", "-", "_/.hidden", "x".repeat(200)]) {
      await store().put(`odd/${key}`, Buffer.from(key));
      expect((await store().read(`odd/${key}`)).toString()).toBe(key);
    }
  });
}

function describeLists(store: () => BlobStore): void {
  test("lists in byte order, by prefix, after a key", async () => {
    const keys = ["l/A", "l/a", "l/a-b", "l/a.b/c", "l/a0", "l/ab/c", "l/ab/d/e", "l/b", "l2/x"];
    await Promise.all(keys.toReversed().map((key) => store().put(key, Buffer.from(key))));
    const sorted = keys.toSorted();
    expect(await keysOf(store(), "l/")).toEqual(sorted.filter((key) => key.startsWith("l/")));
    for (const prefix of ["l", "l/a", "l/ab", "l/ab/", "l/ab/d", "l2/", "l3", "l/a.b/c"]) {
      expect(await keysOf(store(), prefix)).toEqual(sorted.filter((key) => key.startsWith(prefix)));
      for (const after of [...sorted, "l/aa", "l/ab/cc", "z"]) {
        const expected = sorted.filter((key) => key.startsWith(prefix) && key > after);
        expect(await keysOf(store(), prefix, after)).toEqual(expected);
      }
    }
    for await (const found of store().list("l2/")) {
      expect(found.sizeBytes).toBe(4);
      expect(Math.abs(Date.now() - found.modifiedAt.getTime())).toBeLessThan(600_000);
    }
    for (const prefix of ["/", "a//", "../", "ä"]) await expect(keysOf(store(), prefix)).rejects.toThrow(TypeError);
  });

  test("lists and deletes more than one page of 1,000", async () => {
    const keys = Array.from({ length: 2_100 }, (_, i) => `page/${String(i).padStart(5, "0")}`);
    for (let i = 0; i < keys.length; i += 50) {
      await Promise.all(keys.slice(i, i + 50).map((key) => store().put(key, Buffer.alloc(1))));
    }
    expect(await keysOf(store(), "page/")).toEqual(keys);
    expect(await keysOf(store(), "page/", keys[1_500])).toEqual(keys.slice(1_501));
    await store().delete([...keys.slice(0, 2_050), "page/none"]);
    expect(await keysOf(store(), "page/")).toEqual(keys.slice(2_050));
  });
}

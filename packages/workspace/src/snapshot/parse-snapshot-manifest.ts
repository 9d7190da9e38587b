// Parses a manifest's JSON text and checks everything in it. Invalid text is reported as damage and never crashes.

import { SnapshotDamagedError } from "../errors.ts";
import { chunkBytes, frameBytesMax } from "./frame.ts";
import type { SquashfsRef } from "./squashfs-image.ts";
import type { SnapshotManifest } from "./snapshot-manifest.ts";
import { pathProblem, quotePath, targetProblem } from "../tree/path-rules.ts";
import { comparePaths, emptySha256, type ChunkLocation, type Frame, type TreeEntry } from "../tree/tree.ts";

const sha256Pattern = /^[0-9a-f]{64}$/;
/** Matches the keys that a BlobStore accepts. */
const objectKeyPattern = /^(?=.{1,900}$)(?:(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]{1,200}(?:\/(?!$)|$))+$/;
/** Maximum size of a stored frame. zstd adds a small overhead to content that it cannot compress. */
const storedBytesMax = frameBytesMax + 64 * 1024;

/** The object that a manifest was read from. */
export interface ManifestPlace {
  readonly objectKey: string;
  /** Start and length of the pack in the object. */
  readonly packStart: number;
  readonly packBytes: number;
}

/** @throws SnapshotDamagedError for anything but a manifest. Unknown members of the outer object are ignored. */
export function parseSnapshotManifest(json: string, place: ManifestPlace): SnapshotManifest {
  try {
    const outer = record(JSON.parse(json));
    const kind = outer.kind === "full" || outer.kind === "delta" ? outer.kind : fail("its kind is unknown");
    const objects = array(outer.objects).map(objectKeyOf);
    const hashes = outer.frame_hashes === undefined ? [] : array(outer.frame_hashes);
    const frames = array(outer.frames).map((value, i) => frameOf(value, hashes[i], objects, place));
    if (outer.frame_hashes !== undefined && hashes.length !== frames.length) fail("frames and their hashes differ");
    const entries = array(outer.entries).map((value) => entryOf(value, frames));
    const deleted = array(outer.deleted).map(pathOf);
    assertAscending(entries.map((entry) => entry.path));
    assertAscending(deleted);
    if (kind === "full" && (outer.base !== null || deleted.length > 0)) fail("a full manifest has a base");
    const listed = new Set(deleted);
    const both = entries.find((entry) => listed.has(entry.path));
    if (both !== undefined) fail(`${quotePath(both.path)} is listed as an entry and as deleted`);
    const base = kind === "full" ? null : sha256Of(outer.base);
    const squashfs = kind === "full" ? squashfsOf(outer.image) : undefined;
    return { kind, base, tree: sha256Of(outer.tree), entries, deleted, squashfs };
  } catch (error) {
    const problem = error instanceof Mistake ? error.message : "its manifest is not JSON";
    throw new SnapshotDamagedError(place.objectKey, problem, { cause: error });
  }
}

class Mistake extends Error {}

function fail(problem: string): never {
  throw new Mistake(problem);
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("its manifest is not a JSON object");
  return value as Record<string, unknown>;
}

function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : fail("a list is missing");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : fail("a text is missing");
}

function whole(value: unknown, max: number): number {
  const isGood = typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max;
  return isGood ? value : fail("a number is missing or out of bounds");
}

function sha256Of(value: unknown): string {
  return typeof value === "string" && sha256Pattern.test(value) ? value : fail("a sha256 is missing");
}

function objectKeyOf(value: unknown): string {
  return typeof value === "string" && objectKeyPattern.test(value) ? value : fail("an object key is invalid");
}

// Ignore squashfs images of another version: the packs have all contents.
function squashfsOf(value: unknown): SquashfsRef | undefined {
  if (value === undefined) return undefined;
  const [kind, key, size, chunks, ...rest] = array(value);
  if (kind !== "squashfs") return undefined;
  const sizeBytes = whole(size, Number.MAX_SAFE_INTEGER);
  const hashes = array(chunks).map(sha256Of);
  if (rest.length > 0 || sizeBytes === 0 || hashes.length !== Math.ceil(sizeBytes / chunkBytes)) {
    fail("an image is malformed");
  }
  return { objectKey: objectKeyOf(key), sizeBytes, chunks: hashes };
}

function pathOf(value: unknown): string {
  const path = text(value);
  const problem = pathProblem(path);
  return problem === undefined ? path : fail(problem);
}

function assertAscending(paths: readonly string[]): void {
  for (let i = 1; i < paths.length; i++) {
    if (comparePaths(paths[i - 1] ?? "", paths[i] ?? "") >= 0) fail(`paths repeat or are out of order`);
  }
}

// The hash is in a separate list; in some objects it is the last value of each frame.
function frameOf(value: unknown, hash: unknown, objects: readonly string[], place: ManifestPlace): Frame {
  const [object, at, stored, size, codec, own, ...rest] = array(value);
  const index = whole(object, objects.length);
  const objectKey = index === 0 ? place.objectKey : (objects[index - 1] ?? fail("an object is missing"));
  const storedBytes = whole(stored, storedBytesMax);
  const sizeBytes = whole(size, frameBytesMax);
  const relative = whole(at, Number.MAX_SAFE_INTEGER - 2 * storedBytesMax);
  if (index === 0 && relative + storedBytes > place.packBytes) fail("a frame is outside the pack");
  if (storedBytes === 0 || sizeBytes === 0 || rest.length > 0) fail("a frame is empty or malformed");
  const isZstd = whole(codec, 1) === 1;
  if (!isZstd && storedBytes !== sizeBytes) fail("a stored frame has two sizes");
  const offset = index === 0 ? place.packStart + relative : relative;
  const frame = { objectKey, offset, storedBytes, sizeBytes, codec: isZstd ? "zstd" : "stored" } as const;
  const sha256 = own ?? hash ?? undefined;
  return sha256 === undefined ? frame : { ...frame, sha256: sha256Of(sha256) };
}

function entryOf(value: unknown, frames: readonly Frame[]): TreeEntry {
  const tuple = array(value);
  const path = pathOf(tuple[1]);
  switch (tuple[0]) {
    case "d":
      assertLength(tuple, 3);
      return { path, type: "directory", mode: whole(tuple[2], 0o777), sizeBytes: 0 };
    case "l":
      assertLength(tuple, 3);
      return symlinkOf(path, text(tuple[2]));
    case "f":
      assertLength(tuple, tuple.length === 5 ? 5 : 7);
      return fileOf(path, tuple, frames);
    case "c":
      assertLength(tuple, 6);
      return chunkedFileOf(path, tuple, frames);
    default:
      return fail("an entry has an unknown type");
  }
}

function assertLength(tuple: readonly unknown[], length: number): void {
  if (tuple.length !== length) fail("an entry is malformed");
}

function symlinkOf(path: string, target: string): TreeEntry {
  const problem = targetProblem(target);
  if (problem !== undefined) fail(problem);
  return { path, type: "symlink", mode: 0o777, sizeBytes: Buffer.byteLength(target), target };
}

function fileOf(path: string, tuple: unknown[], frames: readonly Frame[]): TreeEntry {
  const mode = whole(tuple[2], 0o777);
  const sizeBytes = whole(tuple[3], frameBytesMax);
  const sha256 = sha256Of(tuple[4]);
  const isEmpty = tuple.length === 5;
  if (isEmpty !== (sizeBytes === 0) || (isEmpty && sha256 !== emptySha256))
    fail("a file's size does not match its location");
  if (isEmpty) return { path, type: "file", mode, sizeBytes, sha256, location: [] };
  const frame = frames[whole(tuple[5], frames.length)] ?? fail("a frame is missing");
  const offset = whole(tuple[6], frameBytesMax);
  if (offset + sizeBytes > frame.sizeBytes) fail("a file is outside its frame");
  return { path, type: "file", mode, sizeBytes, sha256, location: [{ frame, offset, sizeBytes, sha256 }] };
}

function chunkedFileOf(path: string, tuple: unknown[], frames: readonly Frame[]): TreeEntry {
  const mode = whole(tuple[2], 0o777);
  const sizeBytes = whole(tuple[3], Number.MAX_SAFE_INTEGER);
  const location = array(tuple[5]).map((value): ChunkLocation => {
    const [index, sha256, ...rest] = array(value);
    const frame = frames[whole(index, frames.length)] ?? fail("a frame is missing");
    if (rest.length > 0) fail("a chunk is malformed");
    return { frame, offset: 0, sizeBytes: frame.sizeBytes, sha256: sha256Of(sha256) };
  });
  if (location.length < 2) fail("a chunked file has too few chunks");
  if (location.reduce((sum, chunk) => sum + chunk.sizeBytes, 0) !== sizeBytes)
    fail("a file's chunks do not add up to its size");
  return { path, type: "file", mode, sizeBytes, sha256: sha256Of(tuple[4]), location };
}

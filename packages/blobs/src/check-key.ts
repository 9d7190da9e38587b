// Which keys and ranges a store accepts: those that both a disk and S3 accept unchanged.

import type { BlobRange } from "./blob-store.ts";

const keyPattern = /^[A-Za-z0-9._-]{1,200}(\/[A-Za-z0-9._-]{1,200})*$/;
const prefixPattern = /^[A-Za-z0-9._/-]*$/;
const keyCharsMax = 900;

/** @throws TypeError unless `key` is a key. */
export function assertKey(key: string): void {
  if (key.length > keyCharsMax || !keyPattern.test(key) || hasDotSegment(key)) {
    throw new TypeError(`not an object key: ${JSON.stringify(key.slice(0, 200))}`);
  }
}

/** @throws TypeError unless a key may start with `prefix`; it may end inside a segment. */
export function assertPrefix(prefix: string): void {
  const badSegments = prefix.startsWith("/") || prefix.includes("//") || hasDotSegment(prefix.replace(/[^/]*$/, ""));
  if (prefix.length > keyCharsMax || !prefixPattern.test(prefix) || badSegments) {
    throw new TypeError(`not a prefix of object keys: ${JSON.stringify(prefix.slice(0, 200))}`);
  }
}

/** @throws RangeError unless `range` is empty or names at least one byte. */
export function assertRange(range: BlobRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  const endIsGood = end === undefined || (Number.isSafeInteger(end) && end >= start);
  if (!Number.isSafeInteger(start) || start < 0 || !endIsGood) {
    throw new RangeError(`not a byte range: ${start} to ${end ?? "the end"}`);
  }
}

function hasDotSegment(path: string): boolean {
  return path.split("/").some((segment) => segment === "." || segment === "..");
}

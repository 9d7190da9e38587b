// Old keys open, the current one seals, and errors name the missing key and never a value.

import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { Redacted } from "@dari/domain";
import { createSealer } from "./seal-secret.ts";

const place = { organizationId: "org_1", name: "API_KEY" };
const newKey = () => new Redacted(randomBytes(32));
const [first, second] = [newKey(), newKey()];

test("a value sealed before a rotation opens after it, and is sealed under the new key from then on", () => {
  const before = createSealer(first);
  const sealed = before.seal("s3cret-value", place);
  const after = createSealer(second, [first]);
  expect(after.open(sealed, place)).toBe("s3cret-value");
  expect(sealed.subarray(0, 9).equals(before.currentPrefix)).toBe(true);
  const again = after.seal(after.open(sealed, place), place);
  expect(again.subarray(0, 9).equals(after.currentPrefix)).toBe(true);
  expect(createSealer(second).open(again, place)).toBe("s3cret-value");
});

test("a value whose key is missing names that key and the existing ones, and no value", () => {
  const sealed = createSealer(first).seal("s3cret-value", place);
  const { keyId } = createSealer(first);
  const open = () => createSealer(second).open(sealed, place);
  expect(open).toThrow(`the secret API_KEY of org_1 was encrypted under master key ${keyId}`);
  expect(open).toThrow(`this program has the keys ${createSealer(second).keyId}`);
  expect(open).not.toThrow(/s3cret/);
});

test("a value of another row, and a damaged one, cannot be decrypted", () => {
  const sealer = createSealer(first);
  const sealed = sealer.seal("s3cret-value", place);
  expect(() => sealer.open(sealed, { ...place, name: "OTHER" })).toThrow(sealer.keyId);
  for (const length of [10, 20, 30, sealed.length - 1]) {
    expect(() => sealer.open(sealed.subarray(0, length), place)).toThrow(sealer.keyId);
  }
});

// The secret of an API key: 256 random bits. Only its holder has the plaintext.

import { createHash, randomBytes } from "node:crypto";

const keyPattern = /^dari_[A-Za-z0-9_-]{43}$/;

/** Returns the plaintext for the holder, and the hash to store. */
export function createKeySecret(): { plaintext: string; hash: Buffer } {
  const plaintext = `dari_${randomBytes(32).toString("base64url")}`;
  return { plaintext, hash: hashKeySecret(plaintext) };
}

/** A plain hash is enough, because 256 random bits cannot be guessed. */
export function hashKeySecret(plaintext: string): Buffer {
  return createHash("sha256").update(plaintext).digest();
}

export function isKeySecret(text: string): boolean {
  return keyPattern.test(text);
}

// The secret of an API key: 256 random bits, kept by nobody but its holder.

import { createHash, randomBytes } from "node:crypto";

const keyPattern = /^dari_[A-Za-z0-9_-]{43}$/;

/** A new secret: the plaintext for its holder, and the hash that is stored. */
export function createKeySecret(): { plaintext: string; hash: Buffer } {
  const plaintext = `dari_${randomBytes(32).toString("base64url")}`;
  return { plaintext, hash: hashKeySecret(plaintext) };
}

/** A plain hash is enough: what has 256 random bits cannot be guessed. */
export function hashKeySecret(plaintext: string): Buffer {
  return createHash("sha256").update(plaintext).digest();
}

export function isKeySecret(text: string): boolean {
  return keyPattern.test(text);
}

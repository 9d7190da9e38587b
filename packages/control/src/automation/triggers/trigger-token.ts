// The token in a trigger's URL: 256 random bits. Only the hash is stored.

import { createHash, randomBytes } from "node:crypto";

const tokenPattern = /^dtrg_[A-Za-z0-9_-]{43}$/;

/** Returns the plaintext for the sender, and the hash to store. */
export function createTriggerToken(): { plaintext: string; hash: Buffer } {
  const plaintext = `dtrg_${randomBytes(32).toString("base64url")}`;
  return { plaintext, hash: hashTriggerToken(plaintext) };
}

/** A plain hash is enough, because 256 random bits cannot be guessed. */
export function hashTriggerToken(plaintext: string): Buffer {
  return createHash("sha256").update(plaintext).digest();
}

export function isTriggerToken(text: string): boolean {
  return tokenPattern.test(text);
}

/** Returns the name that a trigger's secrets are sealed under. */
export function triggerSecretName(triggerId: string): string {
  return `trigger:${triggerId}`;
}

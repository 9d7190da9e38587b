// The secrets that sign people in: 256 random bits each. Only the hash is stored. The first letters say what a secret
// opens, so that none can be used for something else.

import { createHash, randomBytes } from "node:crypto";

const prefixes = { invitation: "dinv", link: "dlnk", keyLink: "dkln", browser: "dses", device: "ddev" } as const;
export type SignInSecretKind = keyof typeof prefixes;

/** Returns the plaintext for the holder, and the hash to store. */
export function createSignInSecret(kind: SignInSecretKind): { plaintext: string; hash: Buffer } {
  const plaintext = `${prefixes[kind]}_${randomBytes(32).toString("base64url")}`;
  return { plaintext, hash: hashSignInSecret(plaintext) };
}

/** A plain hash is enough, because 256 random bits cannot be guessed. */
export function hashSignInSecret(plaintext: string): Buffer {
  return createHash("sha256").update(plaintext).digest();
}

/** Returns what this text could open, or undefined if it has no known form. */
export function parseSignInSecretKind(text: string): SignInSecretKind | undefined {
  const [, prefix] = /^(d[a-z]{3})_[A-Za-z0-9_-]{43}$/.exec(text) ?? [];
  return (Object.keys(prefixes) as SignInSecretKind[]).find((kind) => prefixes[kind] === prefix);
}

// The secrets that sign people in: 256 random bits each, of which only the hash is stored. Their first letters say what
// one opens, so that none is taken for another.

import { createHash, randomBytes } from "node:crypto";

const prefixes = { invitation: "dinv", link: "dlnk", browser: "dses", device: "ddev" } as const;
export type SignInSecretKind = keyof typeof prefixes;

/** A new secret: the plaintext for its holder, and the hash that is stored. */
export function createSignInSecret(kind: SignInSecretKind): { plaintext: string; hash: Buffer } {
  const plaintext = `${prefixes[kind]}_${randomBytes(32).toString("base64url")}`;
  return { plaintext, hash: hashSignInSecret(plaintext) };
}

/** A plain hash is enough: what has 256 random bits cannot be guessed. */
export function hashSignInSecret(plaintext: string): Buffer {
  return createHash("sha256").update(plaintext).digest();
}

/** What this text could open; undefined for what has the form of none. */
export function kindOfSignInSecret(text: string): SignInSecretKind | undefined {
  const [, prefix] = /^(d[a-z]{3})_[A-Za-z0-9_-]{43}$/.exec(text) ?? [];
  return (Object.keys(prefixes) as SignInSecretKind[]).find((kind) => prefixes[kind] === prefix);
}

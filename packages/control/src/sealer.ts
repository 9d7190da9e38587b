// Seals secrets with AES-256-GCM under the installation's master key. Knows nothing of where they are kept.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import type { Redacted } from "@dari/domain";

/** Binds a sealed value to its place, so that a row copied to another organization or name does not open. */
export interface SealContext {
  readonly organizationId: string;
  readonly name: string;
}

export interface Sealer {
  seal(plaintext: string, context: SealContext): Buffer;
  /** Throws when the value was sealed under another key or for another place. */
  open(sealed: Buffer, context: SealContext): string;
  /** Equal for equal texts (hex); without the master key nobody can try out what the text may have been. */
  fingerprint(text: string): string;
}

const formatVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;

/** `masterKey`: 32 bytes. The stored form is version (1 byte), nonce (12), tag (16), ciphertext. */
export function createSealer(masterKey: Redacted<Buffer>): Sealer {
  const key = masterKey.reveal();
  if (key.length !== 32) throw new Error("the master key must have 32 bytes");
  const fingerprintKey = deriveKey(masterKey, "fingerprints");
  return {
    seal(plaintext, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(associatedData(context));
      const sealed = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.from([formatVersion]), nonce, cipher.getAuthTag(), sealed]);
    },
    open(sealed, context) {
      if (sealed[0] !== formatVersion) throw new Error("a secret is sealed in a format this release does not know");
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const tag = sealed.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(associatedData(context)).setAuthTag(tag);
      const plain = Buffer.concat([decipher.update(sealed.subarray(1 + nonceBytes + tagBytes)), decipher.final()]);
      return plain.toString("utf8");
    },
    fingerprint: (text) => createHmac("sha256", fingerprintKey).update(text, "utf8").digest("hex"),
  };
}

/** A key of its own for another purpose, so that one key is never used for two things. */
export function deriveKey(masterKey: Redacted<Buffer>, purpose: string): Buffer {
  return createHash("sha256").update("dari:").update(purpose).update("\0").update(masterKey.reveal()).digest();
}

function associatedData(context: SealContext): Buffer {
  return Buffer.from(`${context.organizationId}\0${context.name}`, "utf8");
}

// Seals secrets with AES-256-GCM under the installation's master key. Does not know where they are stored.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import type { SealContext, Sealer } from "@dari/control/context";
import type { Redacted } from "@dari/domain";

const formatVersion = 2;
const keyIdBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;

interface MasterKey {
  readonly id: string;
  readonly key: Buffer;
}

/**
 * `masterKey` seals; `oldKeys` only open. 32 bytes each. The stored form is version (1 byte), key id (8), nonce (12),
 * tag (16), ciphertext.
 */
export function createSealer(masterKey: Redacted<Buffer>, oldKeys: readonly Redacted<Buffer>[] = []): Sealer {
  const current = keyWithId(masterKey);
  const keys = [current, ...oldKeys.map(keyWithId)];
  const fingerprintKey = deriveKey(masterKey, "fingerprints");
  const prefix = Buffer.concat([Buffer.from([formatVersion]), Buffer.from(current.id, "hex")]);
  function sealBytes(plain: Uint8Array, context: SealContext): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", current.key, nonce).setAAD(associatedData(context));
    const parts = [cipher.update(plain), cipher.final()];
    return Buffer.concat([prefix, nonce, cipher.getAuthTag(), ...parts]);
  }
  function openBytes(sealed: Buffer, context: SealContext): Buffer {
    const version = sealed[0];
    if (version !== formatVersion)
      throw new Error(`${placeOf(context)} has format ${version}, which this release cannot decrypt`);
    const id = sealed.subarray(1, 1 + keyIdBytes).toString("hex");
    const key = keys.find((one) => one.id === id);
    if (key === undefined) throw unknownKey(keys, context, id);
    const opened = tryOpen(key, sealed.subarray(1 + keyIdBytes), context);
    if (opened !== undefined) return opened;
    throw new Error(`${placeOf(context)} cannot be decrypted with master key ${id}: it is damaged, or was copied here`);
  }
  return {
    keyId: current.id,
    currentPrefix: prefix,
    sealBytes,
    openBytes,
    seal: (plaintext, context) => sealBytes(Buffer.from(plaintext, "utf8"), context),
    open: (sealed, context) => openBytes(sealed, context).toString("utf8"),
    fingerprint: (text) => createHmac("sha256", fingerprintKey).update(text, "utf8").digest("hex"),
  };
}

/** Derives a key for another purpose, so that no key serves two purposes. */
export function deriveKey(masterKey: Redacted<Buffer>, purpose: string): Buffer {
  return createHash("sha256").update("dari:").update(purpose).update("\0").update(masterKey.reveal()).digest();
}

function keyWithId(masterKey: Redacted<Buffer>): MasterKey {
  const key = masterKey.reveal();
  if (key.length !== 32) throw new Error("a master key must have 32 bytes");
  return { key, id: deriveKey(masterKey, "key-id").subarray(0, keyIdBytes).toString("hex") };
}

/** Returns undefined if the key, the context or the bytes are wrong. `body`: nonce, tag, ciphertext. */
function tryOpen({ key }: MasterKey, body: Buffer, context: SealContext): Buffer | undefined {
  const nonce = body.subarray(0, nonceBytes);
  const tag = body.subarray(nonceBytes, nonceBytes + tagBytes);
  if (tag.length < tagBytes) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes })
    .setAAD(associatedData(context))
    .setAuthTag(tag);
  const plain = decipher.update(body.subarray(nonceBytes + tagBytes));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return undefined;
  }
}

function unknownKey(keys: readonly MasterKey[], context: SealContext, id: string): Error {
  const ours = keys.map(({ id }) => id).join(", ");
  const advice = "add its key to DARI_MASTER_KEYS_OLD, or store the secret again";
  const found = `was encrypted under master key ${id}; this program has the keys ${ours}`;
  return new Error(`${placeOf(context)} ${found}; ${advice}`);
}

function placeOf({ organizationId, name }: SealContext): string {
  return `the secret ${name} of ${organizationId}`;
}

function associatedData(context: SealContext): Buffer {
  return Buffer.from(`${context.organizationId}\0${context.name}`, "utf8");
}

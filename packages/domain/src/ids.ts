// Opaque, prefixed, time-sortable, lower-case ids. Independent of storage.

/** Every noun that has an id, with its prefix in the API. */
export const idPrefixes = {
  organization: "org",
  apiKey: "key",
  agent: "agt",
  version: "ver",
  sourceSnapshot: "src",
  session: "sess",
  message: "msg",
  attempt: "att",
  snapshot: "snap",
  file: "file",
  credential: "cred",
  event: "evt",
  worker: "wrk",
  member: "mem",
  invitation: "inv",
  signIn: "sgn",
  auditEntry: "aud",
  budget: "bud",
  webhookEndpoint: "whep",
  webhookDelivery: "whdl",
  schedule: "sched",
  scheduleFiring: "fire",
  sessionBatch: "batch",
  trigger: "trig",
  value: "val",
  sessionToken: "stok",
} as const;

export type IdKind = keyof typeof idPrefixes;
export type Id<K extends IdKind> = `${(typeof idPrefixes)[K]}_${string}`;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const bodyLength = 26;
const bodyPattern = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/**
 * Creates an id: 48 bits of milliseconds and 80 random bits in lower-case Crockford base 32, so that ids of one kind
 * sort by creation time to the millisecond.
 */
export function newId<K extends IdKind>(kind: K, nowMs: number = Date.now()): Id<K> {
  return `${idPrefixes[kind]}_${encodeTime(nowMs)}${encodeRandom()}`;
}

/** Returns whether `value` has the prefix and the shape of an id of this kind. */
export function isId<K extends IdKind>(kind: K, value: string): value is Id<K> {
  const prefix = `${idPrefixes[kind]}_`;
  return value.startsWith(prefix) && bodyPattern.test(value.slice(prefix.length));
}

/** Returns the stored id of an agent. `dep_X` and `agt_X` name the same agent. */
export function agentIdFromWire(value: string): string {
  return value.startsWith("dep_") ? `agt_${value.slice(4)}` : value;
}

/** Returns the `dep_` name of an agent. */
export function deploymentIdOf(agentId: string): string {
  return `dep_${agentId.slice(4)}`;
}

function encodeTime(nowMs: number): string {
  let rest = nowMs;
  let out = "";
  for (let i = 0; i < 10; i++) {
    out = alphabet[rest % 32] + out;
    rest = Math.floor(rest / 32);
  }
  return out;
}

/** Random bytes for the next ids. One request per id would cost more than the rest of the id. */
const pool = new Uint8Array((bodyLength - 10) * 64);
let poolAt = pool.length;

function encodeRandom(): string {
  if (poolAt === pool.length) {
    globalThis.crypto.getRandomValues(pool);
    poolAt = 0;
  }
  let out = "";
  for (const end = poolAt + bodyLength - 10; poolAt < end; poolAt++) out += alphabet[pool[poolAt]! & 31];
  return out;
}

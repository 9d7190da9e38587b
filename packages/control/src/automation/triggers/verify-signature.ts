// Verifies how senders sign their events: always over the bytes of the body as they came, with HMAC-SHA256.

import type { TriggerScheme } from "@dari/contract";
import { limits } from "@dari/domain";
import { createHmac, timingSafeEqual } from "node:crypto";

/** A request to a trigger's URL. */
export interface TriggerRequest {
  readonly body: Buffer;
  /** Returns a header, in any case; undefined if the request does not have it exactly once. */
  header(name: string): string | undefined;
}

/** What a request claims about itself. */
interface Claim {
  /** What is signed before the body. */
  readonly prefix: string;
  /** Decoded. One of them must be right: senders send several while they change their secret. */
  readonly signatures: readonly Buffer[];
  /** In seconds since 1970; undefined if the scheme signs no time. */
  readonly timestamp: number | undefined;
}

/** Signatures in one request. Each of the trigger's secrets costs one HMAC, however many signatures there are. */
const signaturesMax = 16;

/**
 * Returns whether the sender has one of the secrets, and signed the body within `limits.triggerToleranceMs`. Without a
 * secret nothing is signed, unless the scheme is `none`. Each comparison takes the same time whatever differs.
 */
export function isSigned(
  scheme: TriggerScheme,
  secrets: readonly string[],
  request: TriggerRequest,
  nowMs: number,
): boolean {
  if (scheme === "none") return true;
  const claim = readClaim(scheme, request);
  if (claim === undefined || claim.signatures.length > signaturesMax) return false;
  const { timestamp } = claim;
  if (timestamp !== undefined && Math.abs(nowMs - timestamp * 1_000) > limits.triggerToleranceMs) return false;
  const expected = secrets.map((secret) =>
    createHmac("sha256", keyOf(scheme, secret)).update(claim.prefix).update(request.body).digest(),
  );
  return claim.signatures.some((one) => expected.some((right) => isEqual(one, right)));
}

function isEqual(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

const standardPrefix = "whsec_";

function keyOf(scheme: TriggerScheme, secret: string): Buffer {
  return scheme === "standard-webhooks" ? decodeStandardSecret(secret) : Buffer.from(secret, "utf8");
}

/** Returns the key in a secret of Standard Webhooks: base64, usually after `whsec_`. */
export function decodeStandardSecret(secret: string): Buffer {
  return Buffer.from(secret.startsWith(standardPrefix) ? secret.slice(standardPrefix.length) : secret, "base64");
}

function readClaim(scheme: Exclude<TriggerScheme, "none">, request: TriggerRequest): Claim | undefined {
  switch (scheme) {
    case "github":
      return readGitHub(request);
    case "slack":
      return readSlack(request);
    case "stripe":
      return readStripe(request);
    case "standard-webhooks":
      return readStandard(request);
  }
}

/** GitHub signs neither a time nor any header. */
function readGitHub({ header }: TriggerRequest): Claim | undefined {
  const signature = hexOf(header("x-hub-signature-256"), "sha256=");
  return signature && { prefix: "", signatures: [signature], timestamp: undefined };
}

function readSlack({ header }: TriggerRequest): Claim | undefined {
  const time = header("x-slack-request-timestamp");
  const timestamp = secondsOf(time);
  const signature = hexOf(header("x-slack-signature"), "v0=");
  if (timestamp === undefined || signature === undefined) return undefined;
  return { prefix: `v0:${time}:`, signatures: [signature], timestamp };
}

function readStripe({ header }: TriggerRequest): Claim | undefined {
  const fields = (header("stripe-signature") ?? "").split(",").map((field) => field.trim());
  const times = fields.filter((field) => field.startsWith("t=")).map((field) => field.slice(2));
  const timestamp = times.length === 1 ? secondsOf(times[0]) : undefined;
  const signatures = fields.flatMap((field) => hexOf(field, "v1=") ?? []);
  return timestamp === undefined ? undefined : { prefix: `${times[0]}.`, signatures, timestamp };
}

function readStandard({ header }: TriggerRequest): Claim | undefined {
  const id = header("webhook-id");
  const time = header("webhook-timestamp");
  const timestamp = secondsOf(time);
  if (id === undefined || id === "" || timestamp === undefined) return undefined;
  const fields = (header("webhook-signature") ?? "").split(" ");
  const signatures = fields.filter((field) => /^v1,[A-Za-z0-9+/]{43}=$/.test(field));
  return { prefix: `${id}.${time}.`, signatures: signatures.map((field) => decodeBase64(field.slice(3))), timestamp };
}

function decodeBase64(text: string): Buffer {
  return Buffer.from(text, "base64");
}

/** Returns the SHA-256 in hex after `prefix`, or undefined if the text has another form. */
function hexOf(text: string | undefined, prefix: string): Buffer | undefined {
  if (text === undefined || !text.startsWith(prefix)) return undefined;
  const hex = text.slice(prefix.length);
  return /^[0-9a-f]{64}$/.test(hex) ? Buffer.from(hex, "hex") : undefined;
}

/** Returns undefined for what is not a whole number of seconds. */
function secondsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,12}$/.test(text) ? Number(text) : undefined;
}

// Standard Webhooks signatures, version 1: HMAC-SHA256 over the id, the time and the body.

import { createHmac, randomBytes } from "node:crypto";

const prefix = "whsec_";
const secretBytes = 32;

export function createWebhookSecret(): string {
  return `${prefix}${randomBytes(secretBytes).toString("base64")}`;
}

export interface SignedContent {
  readonly id: string;
  /** In seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** Returns the value of `webhook-signature`: one signature per secret, in order, separated by spaces. */
export function signDelivery({ id, timestamp, body }: SignedContent, secrets: readonly string[]): string {
  if (secrets.length === 0) throw new Error("a delivery without a secret cannot be signed");
  return secrets.map((secret) => `v1,${sign(secret, `${id}.${timestamp}.${body}`)}`).join(" ");
}

function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(prefix.length), "base64");
  return createHmac("sha256", key).update(content, "utf8").digest("base64");
}

/** Returns the name that an endpoint's secrets are sealed under. */
export function webhookSecretName(endpointId: string): string {
  return `webhook:${endpointId}`;
}

// Secrets of tests in the encodings that the platform looks for.

import { randomBytes } from "node:crypto";

/** Returns a secret that every encoding writes differently. */
export const newSecret = (): string => `sk/${randomBytes(8).toString("hex")}+"é ${randomBytes(4).toString("hex")}`;

/** Returns the secret in six encodings, one after the other. */
export function inEachEncoding(secret: string): string {
  const bytes = Buffer.from(secret);
  const quoted = JSON.stringify(secret);
  const encoded = [secret, bytes.toString("base64"), bytes.toString("base64url"), bytes.toString("hex")];
  return [...encoded, encodeURIComponent(secret), quoted].join(" ");
}

/** Returns a fragment of each encoding, which appears wherever the secret is written in it. */
export function tracesOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = ["", "x", "xy"].map((before) =>
    Buffer.from(before + secret)
      .toString("base64")
      .slice(4, -4),
  );
  return [
    secret.slice(3, 19),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    bytes.toString("hex").slice(0, 32),
    encodeURIComponent(secret).slice(0, 20),
    JSON.stringify(secret).slice(-8, -1),
  ];
}

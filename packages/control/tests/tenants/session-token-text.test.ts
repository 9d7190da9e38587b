// The text of a session token: what is read again, and what is refused.

import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { isSessionToken, readClaims, signClaims } from "../../src/tenants/session-tokens/token-text.ts";

const control = { urlSigningKey: randomBytes(32) };
const claims = {
  id: newId("sessionToken"),
  organizationId: newId("organization"),
  sessionId: newId("session"),
  generation: 3,
  creatorId: newId("apiKey"),
  expiresAt: 1_900_000_000,
  scopes: ["send", "read"] as const,
  endUser: { id: "u1", name: "Zoë ☃" },
};
const token = signClaims(control, claims);
const [head = "", signature = ""] = token.slice("dtok_".length).split(".");

test("a token has its claims, and no other installation reads it", () => {
  expect(readClaims(control, token)).toEqual(claims);
  expect(readClaims({ urlSigningKey: randomBytes(32) }, token)).toBeUndefined();
  expect([isSessionToken(token), isSessionToken("dari_x"), isSessionToken(undefined)]).toEqual([true, false, false]);
});

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const signed = (purpose: string, text: string): string =>
  createHmac("sha256", control.urlSigningKey).update(`${purpose}\0${text}`).digest("base64url");
const lastChanged = `${signature.slice(0, -1)}${signature.endsWith("A") ? "B" : "A"}`;
const forged: [string, string][] = [
  ["other claims", `dtok_${encode({ ...claims, sessionId: newId("session") })}.${signature}`],
  ["another last character, which decodes to the same bytes or not", `dtok_${head}.${lastChanged}`],
  ["no signature", `dtok_${head}.`],
  ["no dot", `dtok_${head}`],
  ["a cut signature", token.slice(0, -1)],
  ["a cut head", `dtok_${head.slice(1)}.${signature}`],
  ["an empty head", `dtok_.${signed("session-token", "")}`],
  ["more behind it", `${token}x`],
  ["a line break", `${token}\n`],
  ["a JSON Web Token without an algorithm", `dtok_${encode({ alg: "none" })}.${encode(claims)}.`],
  ["the signature of another purpose", `dtok_${head}.${signed("file-upload", head)}`],
  [
    "the signature without a purpose",
    `dtok_${head}.${createHmac("sha256", control.urlSigningKey).update(head).digest("base64url")}`,
  ],
  ["a signature in hex", `dtok_${head}.${Buffer.from(signature, "base64url").toString("hex").slice(0, 43)}`],
  ["a very long head", `dtok_${"A".repeat(100_000)}.${signature}`],
  ["another prefix", token.replace("dtok_", "dtok-")],
];

test.each(forged)("a token with %s is refused", (_what, text) => {
  expect(readClaims(control, text)).toBeUndefined();
});

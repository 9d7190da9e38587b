// The API's settings: defaults, both forms of the master key, every problem at once.

import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { masterKeyOf } from "@dari/control/assembly";
import { readOidcSettings, readApiConfig } from "../src/config.ts";

const key = randomBytes(32);
const least = {
  DATABASE_URL: "postgres://dari:pw@127.0.0.1/dari",
  DARI_MASTER_KEY: key.toString("base64"),
  DARI_BLOBS_DIR: "/var/lib/dari",
};

test("the least settings give the documented defaults", () => {
  const config = readApiConfig(least);
  expect(config).toMatchObject({
    host: "127.0.0.1",
    port: 4870,
    logLevel: "info",
    publicUrl: undefined,
    redisUrl: undefined,
  });
  expect(masterKeyOf(config).reveal()).toEqual(key);
  const inHex = readApiConfig({ ...least, DARI_MASTER_KEY: key.toString("hex") });
  expect(masterKeyOf(inHex).reveal()).toEqual(key);
  expect(JSON.stringify(config)).not.toContain("pw");
});

test("all problems are reported together, without the secrets", () => {
  const read = (): unknown => readApiConfig({ DARI_PORT: "x", DARI_MASTER_KEY: "short-secret" });
  expect(read).toThrow(/DARI_PORT[^]*DATABASE_URL|DATABASE_URL[^]*DARI_PORT/);
  const combine = (): unknown =>
    readApiConfig({ ...least, DARI_MASTER_KEY: "short-secret", S3_BUCKET: "b", S3_ACCESS_KEY_ID: "a" });
  expect(combine).toThrow(/DARI_MASTER_KEY[^]*S3_BUCKET[^]*S3_ACCESS_KEY_ID/);
  expect(combine).not.toThrow(/short-secret/);
});

test("an identity provider needs its client, our own address, and encryption beyond this machine", () => {
  const provider = { DARI_OIDC_ISSUER: "https://id.example", DARI_OIDC_CLIENT_ID: "dari" };
  const home = { DARI_PUBLIC_URL: "https://dari.example" };
  const config = readApiConfig({ ...least, ...home, ...provider, DARI_OIDC_CLIENT_SECRET: "s3cret" });
  expect(readOidcSettings(config)).toMatchObject({ issuer: "https://id.example", clientId: "dari", email: "verified" });
  expect(JSON.stringify(config)).not.toContain("s3cret");
  expect(readOidcSettings(readApiConfig(least))).toBeUndefined();
  const local = { ...provider, DARI_OIDC_ISSUER: "http://127.0.0.1:9000" };
  expect(readOidcSettings(readApiConfig({ ...least, ...home, ...local }))).toMatchObject({ clientSecret: undefined });
  const refused = (settings: Record<string, string>) => (): unknown => readApiConfig({ ...least, ...settings });
  expect(refused(provider)).toThrow(/DARI_PUBLIC_URL/);
  expect(refused({ ...home, DARI_OIDC_ISSUER: "https://id.example" })).toThrow(/DARI_OIDC_CLIENT_ID/);
  expect(refused({ ...home, DARI_OIDC_CLIENT_ID: "dari" })).toThrow(/DARI_OIDC_ISSUER/);
  expect(refused({ ...home, ...provider, DARI_OIDC_ISSUER: "http://id.example" })).toThrow(/expected https/);
});

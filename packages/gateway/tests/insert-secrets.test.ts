// Secrets that the gateway inserts, against bytes that no library sends.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { hostname } from "node:os";
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from "node:tls";
import { parseEgressHost, Redacted } from "@dari/domain";
import { listening } from "@dari/testkit";
import { createAuthority } from "../src/secrets/create-authority.ts";
import { insertSecrets } from "../src/secrets/substitute-secrets.ts";
import { answerTo, openRawProxy, written, type RawProxy } from "./raw-proxy.ts";

/** This machine by a name that programs reach only through the proxy. */
const here = hostname().toLowerCase();
const authority = createAuthority([here]);
const value = `sk-${randomBytes(24).toString("hex")}`;
const placeholder = `dari_${randomBytes(24).toString("hex")}`;

describe("what no library sends in a tunnel", () => {
  const large = { placeholder: "dari_large", value: new Redacted("v".repeat(60_000)), hosts: [parseEgressHost(here)!] };
  let saw: string;
  let reply: string | undefined;
  let arrived: (socket: TLSSocket) => void;
  let proxy: RawProxy;
  let port: number;
  const SNICallback: TlsOptions["SNICallback"] = (_name, done) => done(null, authority.contextFor(here));
  const host = createTlsServer({ SNICallback }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => (saw += chunk.toString("latin1")));
    socket.once("data", () => {
      if (reply === "") socket.destroy();
      else if (reply !== undefined) socket.end(reply);
      arrived(socket);
    });
  });
  beforeAll(async () => {
    port = await listening(host);
    const secrets = [{ ...large, placeholder, value: new Redacted(value) }, large];
    const rules = [{ kind: "service", name: here, port } as const];
    proxy = await openRawProxy({ policy: { mode: "off", rules }, secrets, trusted: [authority.certificate] });
  });
  beforeEach(() => {
    [saw, reply, arrived] = ["", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", () => {}];
  });
  afterAll(() => {
    proxy.close();
    host.close();
  });

  const upgrade = ["connection: Upgrade", "upgrade: websocket"];
  const key = `authorization: ${placeholder}`;
  const many = written("GET /many", ["connection: keep-alive"]).repeat(50);
  test.each<[title: string, sent: string, answer: RegExp, host: RegExp]>([
    ["TRACE as an upgrade", written("TRACE /", [...upgrade, key]), /^HTTP\/1.1 405 /, /^$/],
    ["a whole URL", written("GET https://evil.example/", [key]), /^HTTP\/1.1 400 /, /^$/],
    ["a whole URL as an upgrade", written("GET https://evil.example/", [...upgrade, key]), /^$/, /^$/],
    ["an upgrade with a body", written("GET /", [...upgrade, "content-length: 4"], "body"), /^$/, /^$/],
    [
      "a body with another upgrade",
      written("POST /", ["connection: Upgrade", "upgrade: h2c", "content-length: 4"], "body"),
      /ok$/,
      /^POST \/ (?![^]*upgrade)/i,
    ],
    ["values that are too large", written("GET /", ["x-api-key: dari_large dari_large"]), /^HTTP\/1.1 431 /, /^$/],
    ["trailers", written("POST /", ["trailer: x", "transfer-encoding: chunked"], "0\r\nx: 1\r\n\r\n"), /ok$/, /^POST /],
  ])("%s", async (_title, sent, answer, host) => {
    expect(await answerTo(await proxy.tunnel(here, port), sent)).toMatch(answer);
    expect(saw).toMatch(host);
  });

  test.each<[title: string, sent: string, reply: string | undefined, answer: RegExp]>([
    [
      "refuses early",
      written("POST /", ["content-length: 900000"], "x".repeat(800_000)),
      "HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
      /^HTTP\/1.1 413 /,
    ],
    ["hangs up early", written("POST /", ["content-length: 900000"], "x".repeat(800_000)), "", /^$/],
    [
      "upgrades unasked",
      written("GET /"),
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
      /^$/,
    ],
    ["has no status", written("GET /"), "HTTP/1.1 000 None\r\ncontent-length: 0\r\n\r\n", /^$/],
    [
      "does not upgrade, and hangs up",
      written("GET /", upgrade),
      "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
      /part$/,
    ],
    ["never answers what is sent at once", many, undefined, /^$/],
  ])("to a host that %s", async (_title, sent, said, answer) => {
    reply = said;
    expect(await answerTo(await proxy.tunnel(here, port), sent)).toMatch(answer);
    expect(saw.split(" HTTP/1.1").length).toBeLessThan(3);
  });

  test("an upgrade that is given up before its answer", async () => {
    reply = undefined;
    const asked = new Promise<TLSSocket>((resolve) => (arrived = resolve));
    const client = await proxy.tunnel(here, port);
    client.write(written("GET /", upgrade));
    const closed = once(await asked, "close");
    client.end();
    await closed;
  });
});

test("an authority keeps what it signed last", () => {
  const first = authority.contextFor(`first.${here}`);
  expect(authority.contextFor(`first.${here}`)).toBe(first);
  for (let at = 0; at < 64; at++) authority.contextFor(`${at}.${here}`);
  expect(authority.contextFor(`first.${here}`)).not.toBe(first);
});

test("values go into headers that carry credentials, each for its own placeholder", () => {
  const secret = (name: string) => ({ placeholder: name, value: new Redacted(`$& of ${name}`), hosts: [] });
  const secrets = [secret("dari_a"), secret("dari_b")];
  // Hosts store these, or return them.
  const stored = ["x-amz-meta-key", "x-goog-meta-token", "x-ms-meta-key", "x-object-meta-secret", "x-idempotency-key"];
  const headers = {
    authorization: "dari_a dari_b",
    "x-goog-api-key": "dari_a",
    "private-token": "dari_b",
    apikey: "dari_a",
    cookie: "dari_a",
    referer: "dari_a",
    ...Object.fromEntries(stored.map((name) => [name, "dari_a"])),
    "sec-websocket-key": "dari_a",
  };
  expect(insertSecrets(headers, secrets)).toEqual({
    ...headers,
    authorization: "$& of dari_a $& of dari_b",
    "x-goog-api-key": "$& of dari_a",
    "private-token": "$& of dari_b",
    apikey: "$& of dari_a",
  });
});

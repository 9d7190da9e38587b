// A secret that a program never gets: the proxy inserts it, only for the secret's hosts.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import { existsSync, readdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseEgressHost, Redacted } from "@dari/domain";
import { type EgressRecord, createAuthority } from "@dari/gateway";
import { createBwrapDriver, createLandlockDriver, createOciDriver, type SandboxDriver } from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import { makeSlot, nextSaid, ociOptions, specFor, withSandbox } from "./sandbox-fixture.ts";

const ways: [title: string, driver: SandboxDriver][] = [];
const children = createChildDriver();
for (const driver of [createBwrapDriver(), createOciDriver(ociOptions), createLandlockDriver(), children]) {
  const title = driver === children ? "a template's child" : driver.name;
  if ((await driver.probe()).ok) ways.push([title, driver]);
}

/** This machine by a name that programs reach only through the proxy. */
const here = hostname().toLowerCase();
const authority = createAuthority([here]);
const value = `sk-${randomBytes(24).toString("hex")}`;
const placeholder = `dari_${randomBytes(24).toString("hex")}`;

interface Seen {
  readonly what: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly connection: object;
}
let seen: Seen[] = [];
const servers: Server[] = [];

async function serve(): Promise<number> {
  const secureContext = authority.contextFor(here);
  const server = createServer({ SNICallback: (_name, done) => done(null, secureContext) }, (request, response) => {
    void text(request).then((body) => {
      seen.push({
        what: `${request.method} ${request.url}`,
        headers: request.headers,
        body,
        connection: request.socket,
      });
      response.write("one ");
      response.end("two");
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket) => {
    seen.push({ what: "upgrade", headers: request.headers, body: "", connection: socket });
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    socket.on("data", (data: Buffer) => socket.write(`pong to ${String(data)}`));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

let [ours, theirs] = [0, 0];
beforeAll(async () => void ([ours, theirs] = [await serve(), await serve()]));
afterAll(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await children.close?.();
});

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
  seen = [];
});
afterEach(() => slot.remove());

const programOf = (name: string): string => fileURLToPath(new URL(`./programs/${name}`, import.meta.url));
const trustDirs = (): string[] => readdirSync(slot.slotDir).filter((name) => name.startsWith("trust-"));

async function run(
  driver: SandboxDriver,
  argv: string[],
  trusted?: string[],
): Promise<{ said: Said; records: EgressRecord[] }> {
  const records: EgressRecord[] = [];
  const rules = [ours, theirs].map((port) => ({ kind: "service", name: here, port }) as const);
  const secret = { placeholder, value: new Redacted(value), hosts: [parseEgressHost(`${here}:${ours}`)!] };
  const network = {
    policy: { mode: "off", rules } as const,
    secrets: [secret],
    ...(trusted === undefined ? {} : { trusted }),
    onConnection: (record: EgressRecord) => void records.push(record),
  };
  const urls = { ours: `https://${here}:${ours}`, theirs: `https://${here}:${theirs}` };
  const env = { API_KEY: placeholder, NODE_USE_ENV_PROXY: "1" };
  const spec = specFor(slot, [], { argv: [...argv, JSON.stringify(urls)], env, network });
  const said = (await withSandbox(driver, spec, nextSaid)) as Said;
  return { said, records };
}

interface Said {
  readonly key: string;
  readonly answers: unknown[];
  readonly [what: string]: unknown;
}

const got = (what: string): Seen => seen.find((one) => one.what.startsWith(what))!;

describe.each(ways)("%s", (_title, driver) => {
  test("Node's requests carry the value to its host, and a placeholder elsewhere", async () => {
    const { said, records } = await run(
      driver,
      [process.execPath, programOf("secret-calls.mjs")],
      [authority.certificate],
    );
    expect(said).toMatchObject({
      key: placeholder,
      answers: Array<unknown>(3).fill([200, "one two"]),
      fronted: [200],
      socket: [101, "pong to ping"],
      stolen: [200, "one two"],
    });
    expect(JSON.stringify(said)).not.toContain(value);
    const repeated = { origin: placeholder, "x-request-id": placeholder, "idempotency-key": placeholder };
    const put = { authorization: `Bearer ${value}`, "x-api-key": value, ...repeated };
    expect(got("GET /plain").headers).toMatchObject(put);
    expect(got("GET /plain").what).toBe(`GET /plain?key=${placeholder}`);
    expect(got("POST /sent")).toMatchObject({ headers: put, body: `key=${placeholder}` });
    expect(got("GET /basic").headers["authorization"]).toBe(`Basic ${btoa(`user:${value}`)}`);
    expect(got("GET /fronted").headers).toMatchObject({ host: `${here}:${ours}`, authorization: value });
    expect(got("upgrade").headers).toMatchObject({ authorization: value, "sec-websocket-key": placeholder });
    // Sequential requests can share a connection.
    const fetched = ["GET /plain", "POST /sent", "GET /basic"].map((what) => got(what).connection);
    expect(new Set(fetched).size).toBeLessThan(3);
    const { connection: _, ...stolen } = got("POST /stolen");
    expect(stolen).toMatchObject({ headers: { authorization: `Bearer ${placeholder}` }, body: placeholder });
    expect(JSON.stringify(stolen)).not.toContain(value);
    expect(records.every(({ verdict, bytesSent }) => verdict === "connected" && bytesSent > 0)).toBe(true);
    expect(trustDirs()).toEqual([]);
  });

  test("a host without a trusted certificate gets nothing", async () => {
    const { said, records } = await run(driver, [process.execPath, programOf("secret-calls.mjs")]);
    const failed = { host: here, port: ours, verdict: "failed", reason: expect.stringContaining("cannot be trusted") };
    expect(records[0]).toMatchObject(failed);
    expect(JSON.stringify(said.answers)).not.toContain("one two");
    expect(seen.map(({ what }) => what)).toEqual([`POST /stolen?key=${placeholder}`]);
  });

  const python = "/usr/bin/python3";
  (existsSync(python) ? test : test.skip)("Python's urllib, too", async () => {
    const { said } = await run(driver, [python, programOf("secret-calls.py")], [authority.certificate]);
    expect(said).toEqual({ key: placeholder, answers: [[200, "one two"]] });
    expect(got("POST /python")).toMatchObject({ headers: { authorization: `Bearer ${value}` }, body: placeholder });
  });
});

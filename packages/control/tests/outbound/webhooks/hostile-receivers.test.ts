// Receivers that stall, redirect, lie, or belong to someone else: limited, recorded, never followed to internal
// addresses.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createSecureServer } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  createWebhookEndpoint,
  listWebhookDeliveries,
  parseReceiverPolicy,
  sendWebhookTest,
} from "@dari/control/outbound";
import { createTestAgent, createTestOrganization, waitUntil } from "@dari/testkit";
import { isSignedBy, ok, openWebhookScene, startReceiver, type Receiver, type WebhookScene } from "./receiver.ts";

let receiver: Receiver;
let scene: WebhookScene;
beforeEach(async () => {
  receiver = await startReceiver();
  scene = await openWebhookScene(`127.0.0.1:${receiver.port}`);
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Sends one test event and returns its record. */
async function attempt(settings: Parameters<WebhookScene["sender"]>[0] = {}, url = receiver.url) {
  const { id } = await scene.endpoint(receiver.url);
  // Bypasses the check of an endpoint's URL.
  await scene.rows("update webhook_endpoints set url = $2 where id = $1", id, url);
  await sendWebhookTest(scene.control, scene.actor, id);
  const sender = scene.sender(settings);
  await sender.runOnce();
  await sender.idle();
  const place = { organizationId: scene.actor.organizationId, endpointId: id };
  return (await listWebhookDeliveries(scene.control, place, { limit: 1 })).rows[0]!;
}

test("a receiver that never answers is given up in time and tried again", async () => {
  receiver.answer = () => undefined;
  const delivery = await attempt({ timeoutMs: 300 });
  expect(delivery).toMatchObject({
    status: "pending",
    attempts: 1,
    response_status: null,
    error: "there was no complete reply within 300 ms",
  });
  expect(delivery.duration_ms).toBeGreaterThanOrEqual(290);
  expect(delivery.duration_ms).toBeLessThan(5_000);
});

test("the time limit is for the whole reply: a reply that stalls is tried again", async () => {
  receiver.answer = (_received, response) => void response.writeHead(200).write("one moment");
  expect(await attempt({ timeoutMs: 400 })).toMatchObject({
    status: "pending",
    error: expect.stringContaining("within 400 ms"),
  });
});

test.each([301, 302, 303, 307, 308])("a redirect (%i) is a failure and leads nowhere", async (status) => {
  await using elsewhere = await startReceiver();
  receiver.answer = (_received, response) => void response.writeHead(status, { location: elsewhere.url }).end();
  const delivery = await attempt();
  expect(delivery).toMatchObject({
    status: "pending",
    response_status: status,
    error: expect.stringContaining("redirects are not followed"),
  });
  expect([receiver.received.length, elsewhere.received.length]).toEqual([1, 0]);
});

describe("a receiver with a false certificate", () => {
  test("a receiver that closes without a reply is tried again", async () => {
    receiver.answer = (_received, _response, socket) => void socket.destroy();
    expect(await attempt()).toMatchObject({ status: "pending", response_status: null, error: expect.any(String) });
  });

  test("a receiver that closes within its reply is tried again", async () => {
    receiver.answer = (_received, response, socket) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("all is well", () => socket.destroy());
    };
    expect(await attempt()).toMatchObject({ status: "pending", error: "the reply (200) is incomplete" });
  });

  test("one with an endless reply is cut off, and believed", async () => {
    let closed = false;
    receiver.answer = (_received, response) => {
      const more = (): void => void (response.closed ? undefined : response.write("x".repeat(65_536), more));
      response.once("close", () => (closed = true));
      response.writeHead(200);
      more();
    };
    const delivery = await attempt();
    expect(delivery).toMatchObject({ status: "delivered", response_excerpt: "x".repeat(1_000) });
    await waitUntil(() => closed, { what: "its connection to end" });
  });

  test("a reply with bytes that cannot be stored is recorded anyway", async () => {
    receiver.answer = (_received, response) => void response.writeHead(200).end(Buffer.from([0, 65, 0xff, 0xd8, 0]));
    expect(await attempt()).toMatchObject({ status: "delivered", response_excerpt: "\uFFFDA\uFFFD\uFFFD\uFFFD" });
  });

  test.each([
    ["no HTTP", "220 mail.example ESMTP\r\n"],
    ["endless headers", `HTTP/1.1 200 OK\r\n${"x-more: 1\r\n".repeat(10_000)}\r\n`],
    ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n"],
    ["a status alone", "HTTP/1.1 204 "],
  ])("a receiver that answers %s is tried again", async (_name, bytes) => {
    receiver.answer = (_received, _response, socket) => void socket.end(bytes);
    expect(await attempt({ timeoutMs: 2_000 })).toMatchObject({ status: "pending", error: expect.any(String) });
  });
});

describe("private addresses", () => {
  /** Counts connections, whatever is sent over them. */
  async function startTrap() {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return {
      port,
      connections: () => connections,
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
    };
  }

  test.each([
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "169.254.169.254",
    "10.1.2.3",
    "[fd00::1]",
    "[fe80::1]",
  ])("%s is refused", async (host) => {
    await using trap = await startTrap();
    const delivery = await attempt({}, `https://${host}:${trap.port}/`);
    expect(delivery).toMatchObject({ status: "pending", error: "its address is not a public one" });
    expect(trap.connections()).toBe(0);
  });

  test.each([
    ["loopback", ["127.0.0.1"]],
    ["a private network", ["10.0.0.8"]],
    ["a link's own address", ["169.254.169.254"]],
    ["IPv6 loopback", ["::1"]],
    ["IPv4 within IPv6", ["::ffff:127.0.0.1"]],
    ["one among public ones", ["93.184.216.34", "127.0.0.1"]],
    ["no address, with the same error", []],
  ])("a name that leads to %s is refused", async (_name, addresses) => {
    await using trap = await startTrap();
    const resolve = () => Promise.resolve(addresses);
    const delivery = await attempt({ resolve }, `https://receiver.example:${trap.port}/`);
    expect(delivery).toMatchObject({ status: "pending", error: "its name has no public address" });
    expect(trap.connections()).toBe(0);
  });

  test("a name that moves to a private address after it was created is refused from then on", async () => {
    await using trap = await startTrap();
    const url = `https://receiver.example:${trap.port}/hooks`;
    const { organizationId } = scene.actor;
    const { id } = await createWebhookEndpoint(scene.control, scene.actor, { url });
    await sendWebhookTest(scene.control, scene.actor, id);
    let looks = 0;
    const sender = scene.sender({
      timeoutMs: 2_000,
      // A name server with a different answer each time: only the checked address is connected to.
      resolve: () => Promise.resolve([(looks += 1) > 1 ? "198.51.100.1" : "127.0.0.1"]),
    });
    await sender.runOnce();
    await sender.idle();
    const place = { organizationId, endpointId: id };
    const [delivery] = (await listWebhookDeliveries(scene.control, place, { limit: 1 })).rows;
    expect(delivery!.error).toBe("its name has no public address");
    expect([looks, trap.connections()]).toEqual([1, 0]);
  });

  test("the operator's exception is for exactly one port", async () => {
    await using trap = await startTrap();
    await expect(createWebhookEndpoint(scene.control, scene.actor, { url: receiver.url })).resolves.toBeDefined();
    const other = { url: `http://127.0.0.1:${trap.port}/` };
    await expect(createWebhookEndpoint(scene.control, scene.actor, other)).rejects.toMatchObject({ code: "invalid" });
    expect((await attempt({}, other.url)).error).toBe("its address is not a public one");
    expect(trap.connections()).toBe(0);
    expect(() => parseReceiverPolicy("*.internal:80")).toThrow("expected address:port");
    expect(() => parseReceiverPolicy("hooks.internal")).toThrow("expected address:port");
    expect(() => parseReceiverPolicy("10.0.0.1")).toThrow("needs a port");
  });
});

test("receivers that stall delay no other organization", async () => {
  const { db } = scene.database;
  receiver.answer = () => undefined;
  for (let endpoint = 0; endpoint < 4; endpoint += 1) {
    const { id } = await scene.endpoint(receiver.url);
    for (let n = 0; n < 3; n += 1) await sendWebhookTest(scene.control, scene.actor, id);
  }
  const sender = scene.sender({ slots: 6, perOrganization: 4, timeoutMs: 20_000 });
  await sender.runOnce();
  await sender.runOnce();
  await waitUntil(() => receiver.received.length === 4, { what: "as many attempts as one organization may make" });
  const other = await createTestOrganization(db);
  await createTestAgent(db, other.organizationId);
  const actor = { ...scene.actor, organizationId: other.organizationId };
  const { id } = await createWebhookEndpoint(scene.control, actor, { url: receiver.url });
  receiver.answer = ok;
  await sendWebhookTest(scene.control, actor, id);
  await sender.runOnce();
  await waitUntil(
    async () => {
      const place = { organizationId: other.organizationId, endpointId: id };
      const { rows } = await listWebhookDeliveries(scene.control, place, { limit: 1 });
      return rows[0]?.status === "delivered";
    },
    { what: "the other organization's delivery" },
  );
  expect(receiver.received).toHaveLength(5);
});

/** Creates a self-signed certificate. */
async function makeCertificate(altName: string): Promise<{ key: string; cert: string }> {
  const dir = await mkdtemp(join(tmpdir(), "dari-tls-"));
  const files = { key: join(dir, "key.pem"), cert: join(dir, "cert.pem") };
  const make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const of = ["-subj", "/CN=receiver", "-addext", `subjectAltName=${altName}`];
  await promisify(execFile)("openssl", [...make, ...of, "-keyout", files.key, "-out", files.cert]);
  const made = { key: await readFile(files.key, "utf8"), cert: await readFile(files.cert, "utf8") };
  await rm(dir, { recursive: true });
  return made;
}

test.each([
  ["who the URL says", "IP:127.0.0.1", true, "delivered"],
  ["another host", "DNS:receiver.example", true, "pending"],
  ["the host of the URL, by an untrusted authority", "IP:127.0.0.1", false, "pending"],
])("over TLS, a receiver that proves to be %s", async (_name, altName, isTrusted, status) => {
  const { key, cert } = await makeCertificate(altName);
  await using secure = await startReceiver(ok, (handle) => createSecureServer({ key, cert }, handle));
  const url = `https://127.0.0.1:${secure.port}/`;
  const webhookReceivers = parseReceiverPolicy(`127.0.0.1:${secure.port}`);
  const control = { ...scene.control, webhookReceivers };
  const { id, secret } = await createWebhookEndpoint(control, scene.actor, { url });
  await sendWebhookTest(control, scene.actor, id);
  const sender = scene.sender(isTrusted ? { ca: cert } : {}, { webhookReceivers });
  await sender.runOnce();
  await sender.idle();
  const place = { organizationId: scene.actor.organizationId, endpointId: id };
  const [delivery] = (await listWebhookDeliveries(control, place, { limit: 1 })).rows;
  expect(delivery).toMatchObject({ status, error: status === "delivered" ? null : expect.stringMatching(/cert|IP/) });
  expect(secure.received.map((one) => isSignedBy(secret!, one))).toEqual(status === "delivered" ? [true] : []);
});

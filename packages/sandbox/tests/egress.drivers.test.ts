// What a program can reach whose network access is the proxy, with each driver of this machine that restricts the
// network.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { EgressMode } from "@dari/domain";
import type { EgressOptions, EgressRecord } from "@dari/gateway";
import { parseEgressRules } from "@dari/network";
import { waitUntil } from "@dari/testkit";
import { describeEach, waysOfThisRun } from "@dari/testkit/test-guarantee";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createBwrapDriver, createLandlockDriver, createOciDriver, type SandboxDriver } from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import { hasOwnKernel, makeSlot, nextSaid, ociOptions, specFor, withSandbox } from "./sandbox-fixture.ts";

/** `isShared`: its programs are on the host's network and can use only the proxy's port. */
const ways: { title: string; driver: SandboxDriver; isShared: boolean }[] = [];
const bwrap = createBwrapDriver();
if ((await bwrap.probe()).ok) ways.push({ title: "bwrap", driver: bwrap, isShared: false });
const children = createChildDriver();
if ((await children.probe()).ok) ways.push({ title: "a template's child", driver: children, isShared: false });
const oci = createOciDriver(ociOptions);
if ((await oci.probe()).ok) ways.push({ title: "oci", driver: oci, isShared: false });
const landlock = createLandlockDriver();
if ((await landlock.probe()).ok) ways.push({ title: "landlock", driver: landlock, isShared: true });

let server: Server;
let port: number;
let seen: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} host=${request.headers.host}`);
    if (request.url === "/many") return void response.end("x".repeat(3_000_000));
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => response.end(request.method === "POST" ? `got ${bytes}` : "hello"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.close();
  await children.close?.();
});

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
  seen = [];
});
afterEach(() => slot.remove());

const program = fileURLToPath(new URL("./programs/network.mjs", import.meta.url));

/** Returns the program's result of each attempt, and the proxy's report. */
async function attempt(
  driver: SandboxDriver,
  attempts: readonly (readonly [string, ...unknown[]])[],
  o: { mode: EgressMode; allow?: string } & Pick<EgressOptions, "resolve" | "bytesMax" | "connectionsMax">,
): Promise<{ said: unknown; records: EgressRecord[] }> {
  const { mode, allow = "", ...bounds } = o;
  const records: EgressRecord[] = [];
  const policy = { mode, rules: parseEgressRules(allow) };
  const network = { ...bounds, policy, onConnection: (record: EgressRecord) => void records.push(record) };
  const argv = [process.execPath, program, JSON.stringify(attempts)];
  const said = await withSandbox(driver, specFor(slot, [], { argv, network }), nextSaid);
  return { said, records };
}

describeEach(waysOfThisRun(ways))("$title", ({ driver, isShared }) => {
  test("no service of the host or its network is reached, directly or by the proxy", async () => {
    const targets = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "100.100.100.200"];
    const directly = targets.map((host) => ["connect", host, String(port)] as const);
    const proxied = [...targets, "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]"].map(
      (host) => ["tunnel", `${host}:${port}`] as const,
    );
    const plain = [`http://127.0.0.1:${port}/`, `http://2130706433:${port}/`, `http://[::1]:${port}/`];
    const gets = plain.map((url) => ["get", url] as const);
    const { said } = await attempt(driver, [...directly, ...proxied, ...gets], { mode: "open" });
    const answers = said as [...unknown[]];
    const unreached = (await hasOwnKernel(driver)) ? "EHOSTUNREACH" : "ENETUNREACH";
    const nowhere = ["ECONNREFUSED", ...Array<string>(4).fill(unreached)];
    expect(answers.slice(0, 5)).toEqual(isShared ? nowhere.map(() => "EACCES") : nowhere);
    expect(answers.slice(5, 13)).toEqual(proxied.map(() => [403]));
    expect(answers.slice(13).map((answer) => (answer as unknown[])[0])).toEqual([403, 403, 403]);
    expect(seen).toEqual([]);
  });

  test("a name is judged by its addresses", async () => {
    const led: Record<string, string[]> = {
      "inside.example": ["10.1.2.3"],
      "metadata.example": ["169.254.169.254"],
      "both.example": ["93.184.216.34", "127.0.0.1"],
      "mapped.example": ["::ffff:10.0.0.1"],
    };
    const resolve = (name: string): Promise<string[]> => Promise.resolve(led[name] ?? []);
    const attempts = Object.keys(led).map((name) => ["tunnel", `${name}:${port}`] as const);
    const { said, records } = await attempt(driver, [...attempts, ["tunnel", "nowhere.example:443"]], {
      mode: "open",
      resolve,
    });
    // A tenant cannot distinguish a name of the operator's private DNS from one that does not exist.
    expect(said).toEqual(Array(5).fill([502]));
    const told = records.map(({ verdict, reason }) => ({ verdict, reason }));
    expect(told).toEqual(Array(5).fill({ verdict: "failed", reason: "its name has no public address" }));
  });

  test("with an allow-list, a host that is not on it is not even looked up", async () => {
    const asked: string[] = [];
    const resolve = (name: string): Promise<string[]> => {
      asked.push(name);
      return Promise.resolve([]);
    };
    const names = ["api.example.com", "a.b.example.org", "example.org", "evil.example", "93.184.216.34"];
    const attempts = names.map((name) => ["tunnel", `${name}:443`] as const);
    const { said } = await attempt(driver, attempts, {
      mode: "allow",
      allow: "api.example.com, *.example.org",
      resolve,
    });
    expect(said).toEqual([[502], [502], [403], [403], [403]]);
    expect(asked).toEqual(["api.example.com", "a.b.example.org"]);
  });

  test("an endpoint that the operator opened is reached with and without the proxy, and logged", async () => {
    const url = `http://127.0.0.1:${port}`;
    const { said, records } = await attempt(
      driver,
      [
        ["fetch", `${url}/direct`],
        ["get", `${url}/plain?a=1`, { host: "other.example" }],
        ["tunnel", `127.0.0.1:${port}`, "GET /tunnel HTTP/1.0\r\n\r\n"],
        ["post", `${url}/sent`, 2_000_000],
        ["tunnel", `127.0.0.1:${port + 1}`],
      ],
      { mode: "allow", allow: `127.0.0.1:${port}` },
    );
    const [direct, plain, tunnel, sent, other] = said as string[][];
    expect([direct, plain, sent, other]).toEqual([[200, "hello"], [200, "hello"], [200, "got 2000000"], [403]]);
    expect(tunnel![1]).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(seen).toEqual([
      `GET /direct host=127.0.0.1:${port}`,
      `GET /plain?a=1 host=127.0.0.1:${port}`,
      "GET /tunnel host=undefined",
      `POST /sent host=127.0.0.1:${port}`,
    ]);
    // Without its own network, nothing is between the program and the host's loopback device.
    const told = isShared ? 4 : 5;
    await waitUntil(() => records.length === told, { what: `${told} records` });
    const largest = records.reduce((one, other) => (one.bytesSent > other.bytesSent ? one : other));
    expect(largest).toMatchObject({ host: "127.0.0.1", port, verdict: "connected", reason: "" });
    expect(largest.bytesSent).toBeGreaterThan(2_000_000);
  });

  test("a turn that has used up its traffic is cut off", async () => {
    const url = `http://127.0.0.1:${port}/many`;
    const { said, records } = await attempt(driver, [isShared ? ["post", url, 10] : ["fetch", url], ["get", url]], {
      mode: "off",
      allow: `127.0.0.1:${port}`,
      bytesMax: 1_000_000,
    });
    expect((said as unknown[][])[0]).not.toContain(200);
    expect((said as unknown[][])[1]![0]).toBe(403);
    expect(records.at(-1)).toMatchObject({ verdict: "refused", reason: "limit reached: 1000000 bytes in this turn" });
  });

  test("the program gets no descriptor of the proxy", async () => {
    const network = { policy: { mode: "open", rules: [] } } as const;
    const script = "ls -l /proc/self/fd; env";
    const spec = specFor(slot, [], { argv: ["/bin/sh", "-c", script], network });
    const said = await withSandbox(driver, spec, async (sandbox) => text(sandbox.stdout));
    const open = [...said.matchAll(/ (\d+) -> (.*)$/gm)].filter(([, , target]) => !/^\/dev\/null$|\/fd$/.test(target!));
    expect(open.map(([, fd]) => Number(fd)).filter((fd) => fd > 3)).toEqual([]);
    expect(said).toMatch(/^HTTPS_PROXY=/m);
    expect(said).not.toMatch(/NODE_CHANNEL/);
  });

  test("can be killed while it opens its connection to the proxy", async () => {
    const network = { policy: { mode: "open", rules: [] } } as const;
    const slots = await Promise.all(Array.from({ length: 8 }, makeSlot));
    const sandboxes = await Promise.all(slots.map((each) => driver.prepare(specFor(each, ["echo"], { network }))));
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
    const exits = await Promise.all(sandboxes.map((sandbox) => sandbox.exited));
    expect(exits.map((exit) => exit.signal)).toEqual(exits.map(() => "SIGKILL"));
    for (const each of slots) await each.remove();
  });

  test("off: there is nothing to reach", async () => {
    const { said } = await attempt(driver, [["tunnel", "example.com:443"]], { mode: "off" });
    expect(said).toEqual([[403]]);
  });
});

test("kill ends the connections that are open", async () => {
  const closed = Promise.withResolvers<void>();
  const waiting = createServer((request) => void request.socket.once("close", closed.resolve)).listen(0, "127.0.0.1");
  await once(waiting, "listening");
  const { port: at } = waiting.address() as AddressInfo;
  try {
    for (const { driver } of ways.slice(0, 1)) {
      const attempts = [["fetch", `http://127.0.0.1:${at}/`]];
      const argv = [process.execPath, program, JSON.stringify(attempts)];
      const policy = { mode: "off", rules: parseEgressRules(`127.0.0.1:${at}`) } as const;
      const arrived = once(waiting, "request");
      await withSandbox(driver, specFor(slot, [], { argv, network: { policy } }), async () => void (await arrived));
      await closed.promise;
    }
  } finally {
    waiting.closeAllConnections();
    waiting.close();
  }
});

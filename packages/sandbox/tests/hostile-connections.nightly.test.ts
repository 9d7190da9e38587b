// What a hostile program tries with connections that use no proxy: names that change their addresses, fixed addresses,
// other protocols, and more of everything than a sandbox may have.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { EgressOptions, EgressRecord } from "@dari/gateway";
import type { EgressPolicy } from "@dari/network";
import { listening, waitUntil } from "@dari/testkit";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { proxyOnlyNote } from "../src/machine/guarantee-notes.ts";
import { createBwrapDriver } from "../src/index.ts";
import { makeSlot, nextSaid, specFor, withSandbox } from "./sandbox-fixture.ts";

const driver = createBwrapDriver();
const found = await driver.probe();
const isTransparent = found.ok && !found.guarantees.notes.some((note) => note.startsWith(proxyOnlyNote));
const ifPossible = isTransparent ? test : test.skip;

/** This machine by a name that only the worker can resolve. */
const here = hostname().toLowerCase();
const program = fileURLToPath(new URL("./programs/network.mjs", import.meta.url));

let echo: Server;
let port: number;
let open = 0;
let mostOpen = 0;
beforeAll(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    mostOpen = Math.max(mostOpen, ++open);
    socket.on("error", () => {}).once("close", () => (open -= 1));
    socket.pipe(socket);
  });
  port = await listening(echo);
});
afterAll(() => void echo.close());
let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
  mostOpen = 0;
});
afterEach(() => slot.remove());

type Attempt = readonly [verb: string, ...args: unknown[]];

async function attempt(
  policy: EgressPolicy,
  attempts: readonly Attempt[],
  o: Omit<EgressOptions, "policy"> = {},
): Promise<{ said: unknown[]; records: EgressRecord[] }> {
  const records: EgressRecord[] = [];
  const network = { ...o, policy, onConnection: (record: EgressRecord) => void records.push(record) };
  const argv = [process.execPath, program, JSON.stringify(attempts)];
  const said = await withSandbox(driver, specFor(slot, [], { argv, network }), nextSaid);
  return { said: said as unknown[], records };
}

const everywhere: EgressPolicy = { mode: "open", rules: [] };
const toHere = (...ports: number[]): EgressPolicy => ({
  mode: "off",
  rules: ports.map((each) => ({ kind: "service", name: here, port: each })),
});

ifPossible("each connection is judged by the addresses that its name has then", async () => {
  const answers = [
    ["10.0.0.1"],
    ["93.184.216.34", "127.0.0.1"],
    ["::ffff:169.254.169.254"],
    ["fd00:ec2::254"],
    ["100.100.100.200"],
    ["198.18.0.2"],
  ];
  const asked: string[] = [];
  const resolve = (name: string): Promise<string[]> => Promise.resolve(answers[asked.push(name) - 1]!);
  const attempts = answers.map((): Attempt => ["talk", "rebound.example", 80, "hello"]);
  const { said, records } = await attempt(everywhere, attempts, { resolve });
  expect(said).toEqual(answers.map(() => "ECONNRESET"));
  expect(asked).toEqual(answers.map(() => "rebound.example"));
  const failed = { host: "rebound.example", verdict: "failed", reason: "its name has no public address" };
  expect(records).toMatchObject(answers.map(() => failed));
});

ifPossible("addresses of IPv6, and of IPv4 in IPv6, lead nowhere else", async () => {
  const { said, records } = await attempt({ ...toHere(port), mode: "open" }, [
    ["talk", here, port, "hello"],
    // The kernel treats it as the address inside, which means the same name.
    ["talk", "::ffff:198.18.0.2", port, "hello"],
    ["talk", "::ffff:198.18.0.9", port, "hello"],
    ["talk", "::ffff:10.0.0.1", port],
    ["talk", "64:ff9b::a00:1", port],
    ["talk", "2606:4700:4700::1111", 443],
    ["talk", "::1", port],
    ["talk", "::ffff:127.0.0.1", port],
  ]);
  const nowhere = expect.stringMatching(/^(ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT)$/);
  const own = expect.stringMatching(/^(ECONNREFUSED|EADDRNOTAVAIL)$/);
  expect(said).toEqual(["hello", "hello", "ECONNRESET", nowhere, nowhere, nowhere, own, "ECONNREFUSED"]);
  expect(records.filter(({ verdict }) => verdict !== "connected")).toMatchObject([
    { host: "198.18.0.9", verdict: "refused", reason: "no name has this address; resolve the name again" },
  ]);
});

ifPossible("there is no UDP besides queries for names, and these do not use TCP", async () => {
  const { said, records } = await attempt({ mode: "allow", rules: [] }, [
    ["lookup", "dns.example"],
    ["datagramTo", "198.18.0.2", 443],
    ["datagramTo", "198.18.0.2", 53],
    ["datagramTo", "198.18.0.1", 53],
    ["datagramTo", "127.0.0.1", 3129],
    ["datagramTo", "1.1.1.1", 53],
    ["talk", "127.0.0.1", 53],
    ["talk", "198.18.0.2", 53],
  ]);
  const refusals = Array<string>(4).fill("ECONNREFUSED");
  const address = [{ address: "198.18.0.2", family: 4 }];
  expect(said).toEqual([address, ...refusals, "ENETUNREACH", "ECONNREFUSED", "ECONNRESET"]);
  expect(records).toMatchObject([
    { host: "dns.example", port: 53, verdict: "refused", reason: "it is not on the allow-list" },
  ]);
});

ifPossible("a client that has finished sending still receives", async () => {
  const { said } = await attempt(toHere(port), [["halfClose", here, port]]);
  expect(said).toEqual(["hello"]);
});

ifPossible("a program that does not read stops its server and not the worker", async () => {
  const chunk = Buffer.alloc(1024 ** 2);
  let sent = 0;
  const source = createServer((socket) => {
    const send = (): void => {
      while (socket.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    socket.on("error", () => {}).on("drain", send);
    socket.once("data", send);
  });
  const at = await listening(source);
  const arrived = once(source, "connection");
  const { said } = await attempt(toHere(port, at), [["stall", here, at, port, 3_000]]);
  expect(said).toEqual(["stalled"]);
  // The buffers of the kernel hold some of it, for two connections.
  expect(sent).toBeLessThan(64 * 1024 ** 2);
  const [socket] = await arrived;
  // Unlike `once`, this waits on when the socket reports its reset first.
  if (!socket.closed) await new Promise((closed) => socket.once("close", closed));
  source.close();
});

ifPossible("of many connections at once only the limit is open, and others are refused", async () => {
  const { said, records } = await attempt(
    toHere(port),
    [
      ["storm", here, port, 2_000],
      ["talkAgain", here, port, "hello"],
    ],
    { connectionsMax: 8 },
  );
  expect(said).toEqual([[8, []], "hello"]);
  expect(mostOpen).toBeLessThanOrEqual(8);
  await waitUntil(() => open === 0, { what: "all connections to close" });
  const reasons = new Set(records.map(({ reason }) => reason));
  expect([...reasons].sort()).toEqual(["", "limit reached: 8 open connections; close some"]);
});

ifPossible("after 10,000 names, the address of a forgotten one is refused, and the name gets another", async () => {
  const { said, records } = await attempt(toHere(port), [
    ["lookup", here],
    ["manyNames", 10_000],
    ["talk", "198.18.0.2", port, "hello"],
    ["talk", here, port, "hello"],
    ["lookup", here],
  ]);
  expect(said.slice(1, 4)).toEqual([10_000, "ECONNRESET", "hello"]);
  expect([said[0], said[4]]).toEqual([
    [{ address: "198.18.0.2", family: 4 }],
    [{ address: "198.18.39.19", family: 4 }],
  ]);
  expect(records[0]).toMatchObject({ verdict: "refused", reason: "no name has this address; resolve the name again" });
});

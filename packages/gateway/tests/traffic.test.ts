// What the proxy answers, counts and reports of connections.

import { expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer as createTcpServer } from "node:net";
import { duplexPair } from "node:stream";
import { parseEgressRules } from "@dari/network";
import { listening } from "@dari/testkit";
import { createTraffic, type EgressRecord } from "../src/traffic.ts";
import { answerTo, openRawProxy, written } from "./raw-proxy.ts";

test.each<[title: string, headers: string[], reply: string, answer: RegExp]>([
  ["a trailer", ["trailer: x"], "HTTP/1.1 200 OK\r\n\r\nok", /ok/],
  ["a trailer that is waited for", ["trailer: x", "expect: 100-continue"], "HTTP/1.1 200 OK\r\n\r\nok", /ok/],
  ["an answer's trailer", [], "HTTP/1.1 200 OK\r\ntrailer: x\r\ncontent-length: 2\r\n\r\nok", /ok$/],
  ["no status", [], "HTTP/1.1 000 None\r\ncontent-length: 0\r\n\r\n", /^HTTP\/1.1 502 /],
  ["an upgrade", [], "HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", /^HTTP\/1.1 502 /],
])("the proxy outlives %s", async (_title, headers, reply, answer) => {
  const host = createTcpServer((socket) => void socket.once("data", () => socket.end(reply)));
  const at = await listening(host);
  const proxy = await openRawProxy({ policy: { mode: "off", rules: parseEgressRules(`127.0.0.1:${at}`) } });
  try {
    expect(await answerTo(proxy.connect(), written(`GET http://127.0.0.1:${at}/`, headers))).toMatch(answer);
  } finally {
    proxy.close();
    host.close();
  }
});

test("what the system says of a connection is not the tenant's to read", async () => {
  const proxy = await openRawProxy({ policy: { mode: "off", rules: parseEgressRules("127.0.0.1:1") } });
  await answerTo(proxy.connect(), written("GET http://127.0.0.1:1/"));
  const cause = expect.stringContaining("ECONNREFUSED");
  expect(proxy.records).toMatchObject([{ verdict: "failed", reason: "it could not be reached", cause }]);
  proxy.close();
});

test("an open connection is logged with each turn that has used it, and each turn has its own traffic", async () => {
  const records: EgressRecord[] = [];
  const peer = createTcpServer((socket) => void socket.pipe(socket));
  const at = await listening(peer);
  const policy = { mode: "allow", rules: parseEgressRules(`127.0.0.1:${at}`) } as const;
  const traffic = createTraffic({ policy, bytesMax: 8, onConnection: (record) => void records.push(record) });
  const upstream = await traffic.open({ host: "127.0.0.1", port: at });
  const [client, program] = duplexPair();
  traffic.join(client, upstream);
  for (const word of ["one", "two"]) {
    program.write(word);
    expect(String((await once(program, "data"))[0])).toBe(word);
    traffic.settle();
  }
  traffic.settle();
  traffic.close();
  await once(upstream, "close");
  peer.close();
  expect(records.map(({ bytesSent, bytesReceived }) => [bytesSent, bytesReceived])).toEqual(Array(2).fill([3, 3]));
});

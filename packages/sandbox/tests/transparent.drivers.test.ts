// What ordinary clients reach, which know nothing of a proxy, in the sandboxes whose network can be set up so.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { parseEgressHost, Redacted } from "@dari/domain";
import { type EgressOptions, type EgressRecord, type ModelRequest, createAuthority } from "@dari/gateway";
import { parseEgressRules, type EgressPolicy, type EgressRule } from "@dari/network";
import { listening, waitUntil } from "@dari/testkit";
import { describeEach, waysOfThisRun } from "@dari/testkit/test-guarantee";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { hostname, networkInterfaces, release, type NetworkInterfaceInfo } from "node:os";
import type { TlsOptions } from "node:tls";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { proxyOnlyNote } from "../src/machine/guarantee-notes.ts";
import { createBwrapDriver, type SandboxDriver } from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import { makeSlot, nextSaid, specFor, withSandbox } from "./sandbox-fixture.ts";
import { openTemplates } from "./template-fixture.ts";

const ways: { title: string; driver: SandboxDriver }[] = [];
const children = createChildDriver();
const bwrap = createBwrapDriver();
const unmapped = createBwrapDriver({ hostUsers: false });
for (const [title, driver] of Object.entries({
  bwrap,
  "a template's child": children,
  "the worker's user": unmapped,
})) {
  const found = await driver.probe();
  if (found.ok && !found.guarantees.notes.some((note) => note.startsWith(proxyOnlyNote))) ways.push({ title, driver });
}

/** This machine by a name that only the worker can resolve. */
const here = hostname().toLowerCase();
const program = fileURLToPath(new URL("./programs/network.mjs", import.meta.url));

/** Whether this kernel can do it, as it says itself. */
function kernelCan(): boolean {
  if (existsSync("/proc/config.gz")) {
    return /^CONFIG_NFT_TPROXY=[my]$/m.test(gunzipSync(readFileSync("/proc/config.gz")).toString());
  }
  const module = `/lib/modules/${release()}/kernel/net/netfilter/nft_tproxy.ko`;
  return ["", ".gz", ".xz", ".zst"].some((end) => existsSync(module + end));
}

const bwrapFound = await bwrap.probe();
(bwrapFound.ok && kernelCan() ? test : test.skip)("on this machine, sandboxes have it", () => {
  expect(ways.map(({ driver }) => driver)).toContain(bwrap);
});

let echo: Server;
let port: number;
beforeAll(async () => {
  echo = createTcpServer((socket) => void socket.on("error", () => {}).pipe(socket));
  port = await listening(echo);
});
afterAll(async () => {
  echo.close();
  await children.close?.();
});
let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => void (slot = await makeSlot()));
afterEach(() => slot.remove());

const isOutside = ({ family, internal }: NetworkInterfaceInfo): boolean => family === "IPv4" && !internal;
const service = (at: number, name = here): EgressRule => ({ kind: "service", name, port: at });
const only = (...rules: EgressRule[]): EgressPolicy => ({ mode: "off", rules });

type Attempt = readonly [verb: string, ...args: unknown[]];

async function attempt(
  driver: SandboxDriver,
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

/** Asks the kernel for a table of rules, a route and an address, and prints its answers. */
const changesNetwork = [
  "import errno, socket, struct",
  "def ask(protocol, kind, body):",
  " with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as s:",
  "  s.sendto(struct.pack('=IHHII', 16 + len(body), kind, 0x605, 1, 0) + body, (0, 0))",
  "  return errno.errorcode.get(-struct.unpack('=i', s.recv(4096)[16:20])[0], '0')",
  "route = struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 255, 4, 254, 2, 0)",
  "print(ask(12, 0xa00, bytes([2, 0, 0, 0])), ask(0, 24, route), ask(0, 20, struct.pack('=BBBBI', 2, 8, 0, 0, 1)))",
].join("\n");

const refused = { verdict: "refused", reason: "this agent has no network", bytesSent: 0, bytesReceived: 0 };

describeEach(waysOfThisRun(ways))("$title", ({ driver }) => {
  test("a service is reached by its name, and what was sent is recorded", async () => {
    const { said, records } = await attempt(driver, only(service(port)), [
      ["talk", here, port, "hello"],
      ["talk", here.toUpperCase(), port, "again"],
      ["lookup", here],
      ["resolve", "AAAA", here],
    ]);
    expect(said).toEqual(["hello", "again", [{ address: "198.18.0.2", family: 4 }], "ENODATA"]);
    await waitUntil(() => records.length === 2, { what: "two records" });
    const record = { host: here, port, verdict: "connected", reason: "", bytesSent: 5, bytesReceived: 5 };
    expect(records).toEqual([record, record]);
  });

  test("what is refused is reset, and recorded with name, port and reason", async () => {
    const asked: string[] = [];
    const resolve = (name: string): Promise<string[]> => {
      asked.push(name);
      return Promise.resolve(name === "inside.example" ? ["10.1.2.3"] : []);
    };
    const policy: EgressPolicy = { mode: "allow", rules: parseEgressRules("*.example") };
    const { said, records } = await attempt(
      driver,
      policy,
      [
        ["talk", "inside.example", 5432],
        ["talk", "nowhere.example", 6379],
        ["talk", "other.test", 443, "hello"],
        ["talk", "198.18.200.7", 80],
        ["talk", "198.18.0.1", 80],
        ["talk", "127.0.0.1", 3129],
      ],
      { resolve },
    );
    expect(said).toEqual(Array(6).fill("ECONNRESET"));
    expect(asked).toEqual(["inside.example", "nowhere.example"]);
    const none = { verdict: "failed", reason: "its name has no public address" };
    const other = { verdict: "refused", reason: "it is not on the allow-list" };
    const noName = { verdict: "refused", reason: "no name has this address; resolve the name again" };
    expect(records).toMatchObject([
      { host: "inside.example", port: 5432, ...none },
      { host: "nowhere.example", port: 6379, ...none },
      { host: "other.test", port: 443, ...other },
      { host: "198.18.200.7", port: 80, ...noName },
      { host: "198.18.0.1", port: 80, ...noName },
      { host: "127.0.0.1", port: 3129, ...other },
    ]);
  });

  test("with an open network, an address that has no name is refused, and others have no route", async () => {
    const { said, records } = await attempt(driver, { mode: "open", rules: [] }, [
      ["talk", "198.18.0.2", 80],
      ["talk", "1.1.1.1", 443],
      ["talk", "10.0.0.1", 443],
    ]);
    expect(said).toEqual(["ECONNRESET", "ENETUNREACH", "ENETUNREACH"]);
    expect(records).toMatchObject([
      { host: "198.18.0.2", verdict: "refused", reason: "no name has this address; resolve the name again" },
    ]);
  });

  const [address] = Object.values(networkInterfaces()).flatMap((found) => (found ?? []).filter(isOutside));
  (address === undefined ? test.skip : test)("an address that the operator opened is reached", async () => {
    const web = createTcpServer((socket) => void socket.on("error", () => {}).pipe(socket));
    await once(web.listen(0, address!.address), "listening");
    const { port: at } = web.address() as AddressInfo;
    const policy = only({ kind: "endpoint", address: address!.address, port: at });
    try {
      const { said, records } = await attempt(driver, policy, [
        ["talk", address!.address, at, "hello"],
        ["talk", address!.address, 1],
        ["talk", "10.255.255.1", at],
      ]);
      expect(said).toEqual(["hello", "ECONNRESET", "ENETUNREACH"]);
      await waitUntil(() => records.length === 2, { what: "two records" });
      expect(records).toContainEqual({ host: address!.address, port: 1, ...refused });
    } finally {
      web.close();
    }
  });

  test("Python and curl work without the proxy", async () => {
    const web = createTcpServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    });
    const at = await listening(web);
    const code = [
      "import asyncio, sys",
      "async def main():",
      " reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))",
      " writer.write(b'hello')",
      " print((await reader.readexactly(5)).decode())",
      "asyncio.run(main())",
    ].join("\n");
    try {
      const { said } = await attempt(driver, only(service(port), service(at)), [
        ["run", "/usr/bin/python3", "-c", code, here, String(port)],
        ["run", "/usr/bin/curl", "--silent", "--noproxy", "*", `http://${here}:${at}/`],
        ["run", "/usr/bin/curl", "--silent", "--show-error", "--noproxy", "*", `http://${here}:1/`],
      ]);
      expect(said).toEqual(["hello", "ok", expect.stringMatching(/reset by peer|connect to server/)]);
    } finally {
      web.close();
    }
  });

  test("the value of a kept credential is inserted without the proxy as well", async () => {
    const authority = createAuthority([here]);
    const asked: string[] = [];
    const secure = createServer(
      {
        SNICallback(name, done) {
          asked.push(name);
          done(null, authority.contextFor(here));
        },
      },
      ({ headers }, response) => response.end(`${headers.authorization} for ${headers.host}`),
    );
    const at = await listening(secure);
    const hosts = [parseEgressHost(`${here}:${at}`)!];
    try {
      const { said, records } = await attempt(
        driver,
        only(service(at)),
        [
          ["secureGet", `https://${here}:${at}/`, { authorization: "dari_placeholder" }],
          // The name in the client's TLS and in its header decide nothing.
          [
            "secureGet",
            `https://${here}:${at}/`,
            { authorization: "dari_placeholder", host: "other.example" },
            { servername: "other.example" },
          ],
          ["talk", here, at, "no TLS"],
        ],
        {
          secrets: [{ placeholder: "dari_placeholder", value: new Redacted("sk-value"), hosts }],
          trusted: [authority.certificate],
        },
      );
      const answered = [200, `sk-value for ${here}:${at}`];
      expect(said).toEqual([answered, answered, expect.stringMatching(/^(ECONNRESET|ended)$/)]);
      expect(new Set(asked)).toEqual(new Set([here]));
      await waitUntil(() => records.length === 3, { what: "three records" });
      expect(records[0]).toMatchObject({ host: here, port: at, verdict: "connected" });
    } finally {
      secure.close();
      secure.closeAllConnections();
    }
  });

  test("a host of models that dari.yml names is metered without the proxy, in HTTPS and in plain HTTP", async () => {
    const authority = createAuthority([here]);
    const SNICallback: TlsOptions["SNICallback"] = (_name, done) => done(null, authority.contextFor(here));
    const servers = [createServer({ SNICallback }, (_request, response) => response.end("{}")), createHttpServer()];
    servers[1]!.on("request", (_request, response) => response.end("{}"));
    const [secure, plain] = [await listening(servers[0]!), await listening(servers[1]!)];
    const requests: ModelRequest[] = [];
    const post = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`;
    try {
      const { said } = await attempt(
        driver,
        only(service(secure), service(plain)),
        [
          ["talk", here, plain, post],
          ["secureGet", `https://${here}:${secure}/v1/messages`, {}, { method: "POST" }],
          ["talk", here, secure, post],
          ["talk", here, plain, "no HTTP\r\n\r\n"],
        ],
        {
          trusted: [authority.certificate],
          models: [
            { host: `${here}:${secure}`, scheme: "https", format: "anthropic-messages" },
            { host: `${here}:${plain}`, scheme: "http", format: "anthropic-messages" },
          ],
          onModelRequest: (request) => void requests.push(request),
        },
      );
      const ended = expect.stringMatching(/^(ECONNRESET|ended)$/);
      expect(said).toEqual([expect.stringMatching(/^HTTP\/1.1 200 /), [200, "{}"], ended, ended]);
      expect(requests.map(({ host, format }) => [host, format])).toEqual(
        [plain, secure].map((at) => [`${here}:${at}`, "anthropic-messages"]),
      );
    } finally {
      for (const server of servers) server.close();
      for (const server of servers) server.closeAllConnections();
    }
  });

  test("bad and many queries end nothing, and the ports are taken", async () => {
    const bad = ["", "AA==", Buffer.alloc(12).toString("base64"), Buffer.alloc(60_000, 0xff).toString("base64")];
    const { said } = await attempt(driver, only(service(port)), [
      ["datagrams", 53, bad],
      ["flood", 20_000],
      ["listen", "udp", 53],
      ["listen", "tcp", 3129],
      ["listen", "tcp", 3129, "0.0.0.0"],
      ["listen", "tcp", 3128],
      ["run", "/usr/bin/python3", "-c", changesNetwork],
      ["talk", here, port, "hello"],
    ]);
    const taken = Array<string>(3).fill("EADDRINUSE");
    expect(said.slice(2)).toEqual(["EACCES", ...taken, "EPERM EPERM EPERM", "hello"]);
    // The kernel drops the others before they reach a socket.
    expect(said[1]).toBeLessThan(15_000);
  });

  test("connections with and without the proxy count together", async () => {
    const { said, records } = await attempt(
      driver,
      only(service(port)),
      [
        ["hold", here, port, 2],
        ["tunnel", `${here}:${port}`],
        ["talk", here, port, "hello"],
      ],
      { connectionsMax: 2 },
    );
    expect(said).toEqual(["held", [403], "ECONNRESET"]);
    const limit = { verdict: "refused", reason: "limit reached: 2 open connections; close some" };
    await waitUntil(() => records.length >= 2, { what: "two records" });
    expect(records.slice(0, 2)).toMatchObject([limit, limit]);
  });

  test("without rules there is nothing to reach", async () => {
    const { said, records } = await attempt(driver, only(), [["talk", here, port, "hello"]]);
    expect([said, records]).toEqual([["ECONNRESET"], [{ host: here, port, ...refused }]]);
  });
});

const noTemplates = ways.every(({ driver }) => driver !== children);
(noTemplates ? test.skip : test)("children know their template's addresses and not those of each other", async () => {
  const templates = await openTemplates();
  const ask = (name: string): string => `result = socket.gethostbyname('${name}')`;
  const talk = (address: string): string =>
    `with socket.create_connection(('${address}', ${port})) as s: s.sendall(b'hello'); result = s.recv(5).decode()`;
  try {
    const template = await templates.hold(`import socket\n${ask(here)}`, { network: { policy: only(service(port)) } });
    expect(template.said).toBe("198.18.0.2");
    const [one, other] = [await template.fork(), await template.fork()];
    expect(await one.ask(ask("one.example"))).toBe("198.18.0.3");
    expect(await other.ask(ask("other.example"))).toBe("198.18.0.3");
    expect([await one.ask(talk("198.18.0.2")), await other.ask(talk("198.18.0.2"))]).toEqual(["hello", "hello"]);
    expect(await other.ask(talk("198.18.0.3"))).toBe("Connection reset by peer");
  } finally {
    await templates.close();
  }
});

// A connection that is refused inside the sandbox has a line in the message's logs, for both languages and for programs
// that an agent starts. The line says how operators allow the address. Connections to an agent's own servers have none.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { deploy, manifestFile, send } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";

const found = await createBwrapDriver().probe();
const isIsolated = found.ok;
const isolated = isIsolated ? test : test.skip;
/** Kernels without nf_tables leave programs the proxy only. */
const hasNames = found.ok && !found.guarantees.notes.some((note) => note.startsWith("programs that ignore the proxy"));

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ env: { DARI_EGRESS_ALLOW: "", ...(isIsolated ? { DARI_SANDBOX: "bwrap" } : {}) } });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

const own = (port: number): string =>
  `egress: 127.0.0.1:${port} refused: nothing listens there in the sandbox, which has its own loopback; ` +
  `operators open a port of their machine with DARI_EGRESS_ALLOW=127.0.0.1:${port}`;
const direct = (where: string): string =>
  `egress: ${where} refused: the client did not use the sandbox's proxy (HTTPS_PROXY), ` +
  `which reaches a private address only where operators set DARI_EGRESS_ALLOW=${where}`;

async function linesOf(files: Record<string, string>): Promise<string[]> {
  const { agentId } = await deploy(fleet, files);
  const { id: session } = await fleet.client.createSession(agentId);
  const { id } = await send(fleet, session, "go");
  const logs = await fleet.client.getMessageLogs(id);
  return [...logs.matchAll(/egress: .*/g)].map(([line]) => line);
}

isolated("of an agent in JavaScript", async () => {
  const lines = await linesOf({
    ...manifestFile({ entrypoint: "agent.mjs:agent", runtime: { language: "typescript" } }),
    "agent.mjs": `
import { once } from "node:events";
import { createServer, connect } from "node:net";
const knock = (port, host) => once(connect(port, host), "connect").catch(() => {});
export async function agent() {
  const server = createServer((socket) => socket.destroy());
  await knock(7001, "127.0.0.1");
  server.listen(7001, "127.0.0.1");
  await once(server, "listening");
  await knock(7001, "127.0.0.1");
  server.close();
  await knock(5432, "10.1.2.3");
  await fetch("http://localhost:11434/v1").catch(() => {});
  return "done";
}`,
  });
  expect(lines.sort()).toEqual([direct("10.1.2.3:5432"), own(11434)]);
});

isolated("of an agent in Python, whether it waits for its connections or not", async () => {
  const lines = await linesOf({
    ...manifestFile({ entrypoint: "agent.py:agent", runtime: { language: "python" } }),
    "agent.py": `
import asyncio, socket
async def knock(host, port):
    try:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except OSError:
        pass
async def agent(prompt):
    await knock("127.0.0.1", 7001)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 7001)
    await knock("127.0.0.1", 7001)
    server.close()
    await knock("localhost", 11434)
    for destination in [("127.0.0.1", 6379), ("10.1.2.3", 5432)]:
        try:
            socket.create_connection(destination)
        except OSError:
            pass
    return "done"
`,
  });
  expect(lines.sort()).toEqual([direct("10.1.2.3:5432"), own(11434), own(6379)]);
});

(hasNames ? test : test.skip)("of a name that a client connects to without the proxy", async () => {
  const lines = await linesOf({
    ...manifestFile({ entrypoint: "agent.py:agent", runtime: { language: "python" }, egress: ["db.invalid"] }),
    "agent.py": `
import socket
async def agent(prompt):
    for name in ["db.invalid", "other.invalid"]:
        try:
            with socket.create_connection((name, 5432)) as connection:
                connection.recv(1)
        except ConnectionResetError:
            pass
    return "done"
`,
  });
  expect(lines.sort()).toEqual([
    expect.stringMatching(/^egress: db\.invalid:5432 failed: its name has no public address/),
    expect.stringMatching(/^egress: other\.invalid:5432 refused: /),
  ]);
});

isolated("of a variable that a program of a failed turn may have used", async () => {
  const lines = await linesOf({
    ...manifestFile({
      entrypoint: "agent.mjs:agent",
      runtime: { language: "typescript" },
      env: { OLLAMA: "http://localhost:11434/v1", NEAR: "http://192.168.1.2:8080", FAR: "https://example.com" },
    }),
    "agent.mjs": `export const agent = () => { throw new Error("Unable to connect"); };`,
  });
  expect(lines.sort()).toEqual([
    "egress: NEAR names 192.168.1.2:8080: this is a private address; " +
      "an operator can allow it with DARI_EGRESS_ALLOW=192.168.1.2:8080",
    "egress: OLLAMA names 127.0.0.1:11434: in a sandbox, this is the sandbox itself; " +
      "an operator can allow it with DARI_EGRESS_ALLOW=127.0.0.1:11434",
  ]);
});

// A real PostgreSQL: first start, attach, crashes of parent and server, ports, and the ways to run it as root.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { mock } from "node:test";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { endProcess, identifyProcess, startPostgres, type EmbeddedPostgres } from "../src/index.ts";
import { waitUntil } from "@dari/testkit";
import { startHolder } from "./holder.ts";
import { greet } from "./wire.ts";

const isRoot = process.getuid?.() === 0;
const asksForScram = { type: "R", code: 10 };

let dataDir: string;
let running: EmbeddedPostgres[];

async function start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ dataDir, fast: true, ...options });
  running.push(server);
  return server;
}

async function killServer(pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  if (identity) await endProcess(identity, [{ signal: "SIGKILL", waitMs: 10_000 }]);
}

beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), "dari-embedded-"));
  running = [];
});

afterEach(async () => {
  for (const server of running) await server.stop();
  for (const server of running) await killServer(server.pid);
  rmSync(dataDir, { recursive: true, force: true });
});

describe("startPostgres", () => {
  test("starts a server that asks for a password, and stops it", async () => {
    const server = await start();
    expect(server).toMatchObject({ attached: false, version: expect.stringMatching(/^18\./) });
    expect(server.url).toMatch(/^postgres:\/\/dari:[\w-]{32}@127\.0\.0\.1:\d+\/postgres$/);
    expect(await greet(server.port, "dari")).toEqual(asksForScram);
    await server.stop();
    expect(identifyProcess(server.pid)).toBeUndefined();
  });

  test("keeps the password in a file that only its owner reads", async () => {
    const server = await start();
    const stateFile = path.join(dataDir, "cluster", "dari-launcher.json");
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.join(dataDir, "postgres.log"), "utf8")).not.toContain(new URL(server.url).password);
  });

  test("a second start attaches, and only the last stop stops", async () => {
    const first = await start();
    const second = await start();
    expect([second.attached, second.url, second.pid]).toEqual([true, first.url, first.pid]);
    await first.stop();
    expect(await greet(second.port, "dari")).toEqual(asksForScram);
    await second.stop();
    expect(identifyProcess(second.pid)).toBeUndefined();
  });

  test("two racing starts end up on one server", async () => {
    const [first, second] = await Promise.all([startHolder("postgres", dataDir), startHolder("postgres", dataDir)]);
    expect(second.pid).toBe(first.pid);
    expect(second.url).toBe(first.url);
    await first.end();
    await second.end();
    await killServer(first.pid);
  });

  test("what another living process owns is not stopped by us", async () => {
    const owner = await startHolder("postgres", dataDir);
    const guest = await start();
    expect(guest).toMatchObject({ attached: true, pid: owner.pid });
    await guest.stop();
    expect(await greet(guest.port, "dari")).toEqual(asksForScram);
    await owner.end();
    expect(identifyProcess(owner.pid)).toBeUndefined();
  });

  test("ends with an owner that exits without stopping it", async () => {
    const owner = await startHolder("postgres", dataDir);
    await owner.exit();
    const isGone = (): boolean => identifyProcess(owner.pid) === undefined;
    await waitUntil(isGone, { what: "PostgreSQL to end", timeoutMs: 20_000 });
  });

  test("after kill -9 of the parent the next start attaches and takes over", async () => {
    const owner = await startHolder("postgres", dataDir);
    await owner.kill();
    const heir = await start();
    expect(heir).toMatchObject({ attached: true, pid: owner.pid, url: owner.url });
    await heir.stop();
    expect(identifyProcess(owner.pid)).toBeUndefined();
  });

  test("after kill -9 of the server the next start recovers, on the same port", async () => {
    const first = await start();
    await killServer(first.pid);
    const second = await start();
    expect(second).toMatchObject({ attached: false, url: first.url });
    expect(await greet(second.port, "dari")).toEqual(asksForScram);
  });

  test("a postmaster.pid that names some other process does not stop a start", async () => {
    const first = await start();
    const file = path.join(dataDir, "cluster", "postmaster.pid");
    const stale = readFileSync(file, "utf8").replace(/^\d+/, String(process.pid));
    await first.stop();
    writeFileSync(file, stale);
    expect((await start()).attached).toBe(false);
  });

  async function listenOn(port: number): Promise<Server> {
    const server = createServer();
    const listening = Promise.withResolvers<void>();
    server.listen(port, "127.0.0.1", listening.resolve);
    await listening.promise;
    return server;
  }

  test("uses another port when the remembered one is taken", async () => {
    const first = await start();
    await first.stop();
    const squatter = await listenOn(first.port);
    const second = await start();
    squatter.close();
    expect(second.port).not.toBe(first.port);
    expect(await greet(second.port, "dari")).toEqual(asksForScram);
  });

  test("keeps the remembered port when a child of a killed server holds it for a moment", async () => {
    const first = await start();
    await first.stop();
    const child = await listenOn(first.port);
    const { mock: tries } = mock.method(Server.prototype, "listen");
    const second = start();
    await waitUntil(() => tries.callCount() > 0, { what: "the start to try the port" });
    tries.restore();
    child.close();
    expect((await second).port).toBe(first.port);
  });

  test("an unfinished initdb is repeated", async () => {
    const { pid } = process;
    writeFileSync(path.join(dataDir, "initdb-999999999.password"), "left over");
    expect(identifyProcess(999_999_999)).toBeUndefined();
    await start();
    expect(() => statSync(path.join(dataDir, "initdb-999999999.password"))).toThrow("ENOENT");
    expect(() => statSync(path.join(dataDir, `initdb-${pid}`))).toThrow("ENOENT");
  });

  test("a damaged state file is a clear error", async () => {
    await (await start()).stop();
    writeFileSync(path.join(dataDir, "cluster", "dari-launcher.json"), "{");
    await expect(start()).rejects.toThrow(/dari-launcher\.json is missing or damaged/);
  });
});

const modes = isRoot ? (["user-namespace", "other-user"] as const) : (["as-is"] as const);

describe.each(modes)("run %s", (launchMode) => {
  test("starts, restarts and recovers", async () => {
    const first = await start({ launchMode });
    await killServer(first.pid);
    const second = await start({ launchMode });
    expect(second.url).toBe(first.url);
    expect(await greet(second.port, "dari")).toEqual(asksForScram);
  });
});

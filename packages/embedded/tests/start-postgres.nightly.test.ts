// A real PostgreSQL: races, owners that die, ports that are taken, and the ways to run it as root.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, Server } from "node:net";
import path from "node:path";
import { mock } from "node:test";
import { describe, expect, test } from "@jest/globals";
import { identifyProcess } from "../src/index.ts";
import { waitUntil } from "@dari/testkit";
import { startHolder } from "./holder.ts";
import { asksForScram, killServer, usePostgres } from "./postgres-fixture.ts";
import { greet } from "./wire.ts";

const isRoot = process.getuid?.() === 0;
const { dataDir, start } = usePostgres();

test("two racing starts end up on one server", async () => {
  const [first, second] = await Promise.all([startHolder("postgres", dataDir()), startHolder("postgres", dataDir())]);
  expect(second.pid).toBe(first.pid);
  expect(second.url).toBe(first.url);
  await first.end();
  await second.end();
  await killServer(first.pid);
});

test("what another living process owns is not stopped by us", async () => {
  const owner = await startHolder("postgres", dataDir());
  const guest = await start();
  expect(guest).toMatchObject({ attached: true, pid: owner.pid });
  await guest.stop();
  expect(await greet(guest.port, "dari")).toEqual(asksForScram);
  await owner.end();
  expect(identifyProcess(owner.pid)).toBeUndefined();
});

test("ends with an owner that exits without stopping it", async () => {
  const owner = await startHolder("postgres", dataDir());
  await owner.exit();
  const isGone = (): boolean => identifyProcess(owner.pid) === undefined;
  await waitUntil(isGone, { what: "PostgreSQL to end", timeoutMs: 20_000 });
});

test("a postmaster.pid that names some other process does not stop a start", async () => {
  const first = await start();
  const file = path.join(dataDir(), "cluster", "postmaster.pid");
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
  writeFileSync(path.join(dataDir(), "initdb-999999999.password"), "left over");
  expect(identifyProcess(999_999_999)).toBeUndefined();
  await start();
  expect(() => statSync(path.join(dataDir(), "initdb-999999999.password"))).toThrow("ENOENT");
  expect(() => statSync(path.join(dataDir(), `initdb-${pid}`))).toThrow("ENOENT");
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

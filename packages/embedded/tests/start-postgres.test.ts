// A real PostgreSQL: first start, attach, crashes of parent and server. start-postgres.nightly.test.ts has the rest.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { identifyProcess } from "../src/index.ts";
import { startHolder } from "./holder.ts";
import { asksForScram, killServer, usePostgres } from "./postgres-fixture.ts";
import { greet } from "./wire.ts";

const { dataDir, start } = usePostgres();

test("starts a server that asks for a password, which only its owner reads, and stops it", async () => {
  const server = await start();
  expect(server).toMatchObject({ attached: false, version: expect.stringMatching(/^18\./) });
  expect(server.url).toMatch(/^postgres:\/\/dari:[\w-]{32}@127\.0\.0\.1:\d+\/postgres$/);
  expect(await greet(server.port, "dari")).toEqual(asksForScram);
  const stateFile = path.join(dataDir(), "cluster", "dari-launcher.json");
  expect(statSync(stateFile).mode & 0o777).toBe(0o600);
  expect(readFileSync(path.join(dataDir(), "postgres.log"), "utf8")).not.toContain(new URL(server.url).password);
  await server.stop();
  expect(identifyProcess(server.pid)).toBeUndefined();
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

test("after kill -9 of the parent the next start attaches and takes over", async () => {
  const owner = await startHolder("postgres", dataDir());
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

test("a damaged state file is a clear error", async () => {
  await (await start()).stop();
  writeFileSync(path.join(dataDir(), "cluster", "dari-launcher.json"), "{");
  await expect(start()).rejects.toThrow(/dari-launcher\.json is missing or damaged/);
});

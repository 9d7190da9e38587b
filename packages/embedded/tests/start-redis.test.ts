// A real Redis or Valkey: start, attach, take over after a crash. Skipped, with install advice, on machines without
// one.

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  endProcess,
  findRedisServer,
  freePort,
  identifyProcess,
  redisInstallAdvice,
  startRedis,
  type EmbeddedRedis,
} from "../src/index.ts";
import { startHolder } from "./holder.ts";

const server = findRedisServer();
const title = server ? "startRedis" : `startRedis (needs a server; ${redisInstallAdvice})`;

let dir: string;
let running: EmbeddedRedis[];

async function start(): Promise<EmbeddedRedis> {
  const redis = await startRedis({ dir });
  running.push(redis);
  return redis;
}

async function say(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  const answer = Promise.withResolvers<string>();
  socket.once("error", answer.reject).once("data", (chunk: Buffer) => answer.resolve(chunk.toString()));
  socket.write(text);
  const reply = await answer.promise;
  socket.destroy();
  return reply;
}

async function kill(pid: number): Promise<void> {
  const identity = identifyProcess(pid);
  if (identity) await endProcess(identity, [{ signal: "SIGKILL", waitMs: 10_000 }]);
}

(server ? describe : describe.skip)(title, () => {
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "dari-redis-"));
    running = [];
  });

  afterEach(async () => {
    for (const redis of running) await redis.stop();
    for (const redis of running) await kill(redis.pid);
    rmSync(dir, { recursive: true, force: true });
  });

  test("answers only to its password, which no other user can read", async () => {
    const { url, port } = await start();
    const { password } = new URL(url);
    expect(await say(port, "PING\r\n")).toMatch(/^-NOAUTH/);
    expect(await say(port, `AUTH ${password}\r\n`)).toBe("+OK\r\n");
    expect(statSync(path.join(dir, "redis.json")).mode & 0o777).toBe(0o600);
    if (process.platform === "linux") {
      expect(readFileSync(`/proc/${running[0]?.pid}/cmdline`, "utf8")).not.toContain(password);
    }
  });

  test("a second start attaches, and only the last stop stops", async () => {
    const first = await start();
    const second = await start();
    expect([second.attached, second.url]).toEqual([true, first.url]);
    await first.stop();
    expect(identifyProcess(first.pid)).toBeDefined();
    await second.stop();
    expect(identifyProcess(first.pid)).toBeUndefined();
  });

  test("after kill -9 of the parent the next start attaches and takes over", async () => {
    const owner = await startHolder("redis", dir);
    await owner.kill();
    const heir = await start();
    expect(heir).toMatchObject({ attached: true, pid: owner.pid });
    await heir.stop();
    expect(identifyProcess(owner.pid)).toBeUndefined();
  });

  test("after kill -9 of the server the next start creates a new one", async () => {
    const first = await start();
    await kill(first.pid);
    const second = await start();
    expect(second.attached).toBe(false);
    expect(await say(second.port, `AUTH ${new URL(second.url).password}\r\n`)).toBe("+OK\r\n");
  });
});

test("freePort gives ports one can listen on", async () => {
  const ports = await Promise.all([freePort(), freePort()]);
  expect(ports.every((port) => port > 1023 && port < 65_536)).toBe(true);
});

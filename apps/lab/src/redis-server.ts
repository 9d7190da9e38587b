// A Redis of a test's own, on an address that stays the same over its stops and starts: others must not feel what is
// done to it.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedisServer, freePort, redisInstallAdvice } from "@dari/embedded";
import { waitUntil } from "@dari/testkit";

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Sends one command and returns the first line of its reply. */
  command(words: string): Promise<string>;
}

export async function startRedisServer(): Promise<RedisServer> {
  const found = findRedisServer();
  if (found === undefined) throw new Error(`no redis-server on the PATH: ${redisInstallAdvice}`);
  const dir = mkdtempSync(join(tmpdir(), "dari-redis-"));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir];

  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      child = spawn(found.command, settings, { stdio: "ignore" });
      await waitUntil(async () => (await send(port, "PING")) === "+PONG", { what: "Redis to answer" });
    },
    async stop() {
      if (child === undefined || child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      child = undefined;
    },
    command: (words) => send(port, words),
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function send(port: number, words: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    socket.write(`${words}\r\n`);
    const [data] = (await once(socket, "data")) as [Buffer];
    return data.toString().split("\r\n")[0] ?? "";
  } finally {
    socket.destroy();
  }
}

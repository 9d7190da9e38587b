// A Redis server for one run or test, on a fixed port, with its append-only file on disk. It can be killed, wiped and
// suspended without affecting others.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { findRedisServer, freePort, redisInstallAdvice } from "@dari/embedded";
import { waitUntil } from "@dari/testkit";

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly isRunning: boolean;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts from its append-only file, or without data. */
  start(from: "log" | "nothing"): Promise<void>;
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Sends one command and returns the first line of its reply. */
  command(words: string): Promise<string>;
}

/** `ownDir`: directory of its append-only file (default: a temporary directory, which is removed with the server). */
export async function startRedisServer(ownDir?: string): Promise<RedisServer> {
  const found = findRedisServer();
  if (found === undefined) throw new Error(`no redis-server on the PATH; ${redisInstallAdvice}`);
  const dir = ownDir ?? (await mkdtemp(path.join(tmpdir(), "dari-redis-")));
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  let child: ChildProcess | undefined;
  const settings = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", dir].map(
    String,
  );
  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    get isRunning() {
      return isRunning();
    },
    async kill() {
      if (child === undefined || !isRunning()) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
    async start(from) {
      if (isRunning()) return;
      if (from === "nothing") await rm(path.join(dir, "appendonlydir"), { recursive: true, force: true });
      child = spawn(found.command, settings, { stdio: "ignore" });
      await waitUntil(async () => (await send(port, "PING")) === "+PONG", {
        what: "Redis to answer",
        timeoutMs: 30_000,
      });
    },
    signal(name) {
      if (isRunning()) child?.kill(name);
    },
    command: (words) => send(port, words),
    async [Symbol.asyncDispose]() {
      await server.kill();
      if (ownDir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
  await server.start("nothing");
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

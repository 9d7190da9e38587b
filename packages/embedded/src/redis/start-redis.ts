// Attaches to the Redis of a directory, or starts one: in memory only, loopback only, with its own password. It stores
// nothing that cannot be lost: the rows in PostgreSQL are the truth.

import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { endAtExit, cancelEndAtExit } from "../end-at-exit.ts";
import { endProcess } from "../end-process.ts";
import { freePort } from "../free-port.ts";
import { openOwnership, type Ownership } from "../server-ownership.ts";
import { poll } from "../poll.ts";
import { identifyProcess, isSameProcessAlive, type ProcessIdentity } from "../process-identity.ts";
import { readStateFile, writeStateFile } from "../state-file.ts";
import { findRedisServer, redisInstallAdvice, type RedisServer } from "./find-redis-server.ts";
import { ping } from "./ping.ts";

export interface StartRedisOptions {
  /** For the state file and the log; created with mode 0700 if missing. */
  readonly dir: string;
  /** Default: the result of findRedisServer(). */
  readonly server?: RedisServer;
}

export interface EmbeddedRedis extends AsyncDisposable {
  /** redis://… with its password: wrap it before it can be logged. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** True if the server was already running. */
  readonly attached: boolean;
  /** Stops the server if it was started here, or by a process that has died. Otherwise does nothing. */
  stop(): Promise<void>;
}

interface RedisState {
  readonly server: ProcessIdentity;
  readonly port: number;
  readonly password: string;
}

const startTries = 3;
const startTimeoutMs = 10_000;
const isState = (value: Partial<RedisState>): boolean =>
  typeof value.port === "number" && typeof value.password === "string" && typeof value.server === "object";

/** Handles of this process per directory: only the last one to stop stops the server. */
const openHandles = new Map<string, number>();

/** Returns a running Redis or Valkey (0.05 s). Throws with the command that installs one if the machine has none. */
export async function startRedis(options: StartRedisOptions): Promise<EmbeddedRedis> {
  const dir = path.resolve(options.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const stateFile = path.join(dir, "redis.json");
  const running = readStateFile<RedisState>(stateFile, isState);
  if (running && isSameProcessAlive(running.server) && (await ping(running.port, running.password))) {
    return handle(dir, running, true);
  }
  const server = options.server ?? findRedisServer();
  if (!server) throw new Error(`No redis-server or valkey-server (6.2 or newer) on the PATH; ${redisInstallAdvice}`);
  for (let tries = 1; ; tries++) {
    const started = await launch(dir, server);
    if (started) {
      writeStateFile(stateFile, started);
      return handle(dir, started, false);
    }
    if (tries === startTries) {
      throw new Error(`${server.command} did not start:\n${readFileSync(logFileOf(dir), "utf8").slice(-2_000)}`);
    }
  }
}

const logFileOf = (dir: string): string => path.join(dir, "redis.log");

/** Tries once on a free port; undefined if the server ended, because the port may just have been taken. */
async function launch(dir: string, server: RedisServer): Promise<RedisState | undefined> {
  const port = await freePort();
  const password = randomBytes(24).toString("base64url").replace(/-/g, "_");
  const log = openSync(logFileOf(dir), "w", 0o600);
  // Settings are sent over standard input, so that the password is in no process list.
  const child = spawn(server.command, ["-"], { cwd: dir, stdio: ["pipe", log, log], detached: true });
  closeSync(log);
  child.unref();
  const spawned = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (spawned !== undefined) endAtExit(dir, { identity: spawned, signal: "SIGTERM" });
  let failed = false;
  child.once("error", () => (failed = true));
  child.stdin?.on("error", () => {});
  child.stdin?.end(settings(dir, port, password));
  const outcome = await poll<RedisState | "ended">(
    async () => {
      if (failed || hasEnded(child)) return "ended";
      const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
      return identity && (await ping(port, password)) ? { server: identity, port, password } : undefined;
    },
    { timeoutMs: startTimeoutMs, everyMs: 5 },
  );
  if (outcome === undefined) child.kill("SIGKILL");
  return outcome === "ended" ? undefined : outcome;
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function settings(dir: string, port: number, password: string): string {
  return [
    `port ${port}`,
    "bind 127.0.0.1",
    "protected-mode yes",
    `requirepass ${password}`,
    'save ""',
    "appendonly no",
    `dir "${dir.replace(/["\\]/g, "\\$&")}"`,
    "maxmemory-policy noeviction",
    "loglevel notice",
    // Housekeeping per second. BullMQ starts a delayed job when a blocking command times out, up to 0.2 s late.
    "hz 5",
    "",
  ].join("\n");
}

function handle(dir: string, state: RedisState, attached: boolean): EmbeddedRedis {
  const ownership = openOwnership(dir);
  if (ownership.claim()) endAtExit(dir, { identity: state.server, signal: "SIGTERM" });
  else cancelEndAtExit(dir);
  openHandles.set(dir, (openHandles.get(dir) ?? 0) + 1);
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await release(dir, state, ownership);
  };
  return {
    url: `redis://:${state.password}@127.0.0.1:${state.port}`,
    port: state.port,
    pid: state.server.pid,
    attached,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function release(dir: string, state: RedisState, ownership: Ownership): Promise<void> {
  const others = (openHandles.get(dir) ?? 1) - 1;
  openHandles.set(dir, others);
  if (others > 0 || !ownership.isOurs()) return;
  cancelEndAtExit(dir);
  await endProcess(state.server, [
    { signal: "SIGTERM", waitMs: 5_000 },
    { signal: "SIGKILL", waitMs: 5_000 },
  ]);
  rmSync(path.join(dir, "redis.json"), { force: true });
}

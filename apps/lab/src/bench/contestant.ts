// What benchmarks compare: a system behind an HTTP API, with its own servers and processes.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createTestSession } from "@dari/testkit";
import { machineEnvironment } from "../config.ts";
import { startProgram, type Program, type ProgramOptions } from "../program.ts";
import type { Servers } from "./servers.ts";

export interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly apiUrl: string;
  readonly organizationId: string;
  readonly apiKey: string;
  readonly agentId: string;
  /** The agent's version, which agents of other organizations can copy. */
  readonly versionId: string;
  readonly sessionIds: readonly string[];
  /** All its processes by name. */
  readonly pids: Readonly<Record<string, number>>;
  readonly servers: Servers;
}

export interface ContestantOptions {
  /** Number of empty sessions at the start (default: 0). */
  readonly sessions?: number;
  /** Stores a profile of every program there, and counts statements. Not for timing. */
  readonly profileDir?: string | undefined;
}

/** Concurrent turns per worker. */
export const slots = 50;

/** Opens it in its own directory, which is removed when the contestant is disposed. */
export async function openContestant<T extends object>(
  name: string,
  open: (dir: string, stack: AsyncDisposableStack) => Promise<T>,
): Promise<T & { readonly name: string } & AsyncDisposable> {
  // The stack stays open on success, because later resources are added to it.
  const stack = new AsyncDisposableStack();
  try {
    const dir = await makeDir(name, stack);
    return { ...(await open(dir, stack)), name, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Creates a directory that is removed with the stack. */
export async function makeDir(name: string, stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), `dari-bench-${name}-`));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Ended with SIGTERM, because a profile is written only at a regular end. */
export async function startProgramOnStack(stack: AsyncDisposableStack, options: ProgramOptions): Promise<Program> {
  const program = await startProgram(options);
  stack.defer(async () => {
    if (program.isRunning) await program.stop();
  });
  return program;
}

/** Returns the environment of a platform's programs. Objects are files below `dir`. */
export function platformEnvironment(dir: string, servers: Servers, port: number): Record<string, string> {
  return {
    ...programEnvironment(servers),
    DARI_BLOBS_DIR: path.join(dir, "objects"),
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
    DARI_PORT: String(port),
    DARI_MINIMUM_ISOLATION: "none",
  };
}

/** Returns the environment of every program that uses these servers. */
export function programEnvironment(servers: Servers): Record<string, string> {
  return {
    ...machineEnvironment(),
    NODE_ENV: "production",
    DATABASE_URL: servers.databaseUrl,
    REDIS_URL: servers.redisUrl,
  };
}

export function profilingEnvironment(options: ContestantOptions, name: string): Record<string, string> {
  if (options.profileDir === undefined) return {};
  const dir = path.join(options.profileDir, name);
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${dir}` };
}

export async function createSessions(
  servers: Servers,
  owner: { organizationId: string; agentId: string },
  count: number,
): Promise<string[]> {
  const made: string[] = [];
  let left = count;
  const maker = async (): Promise<void> => {
    while (left-- > 0) made.push(await createTestSession(servers.db, owner.organizationId, owner.agentId));
  };
  await Promise.all(Array.from({ length: 4 }, maker));
  return made;
}

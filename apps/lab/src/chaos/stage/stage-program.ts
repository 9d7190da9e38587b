// One place of a stage: a program with proxies between it and its services, whose process is replaced over time.

import { setTimeout as sleep } from "node:timers/promises";
import { startFaultProxy, type FaultProxy } from "@dari/testkit";
import { startProgram, type Program } from "../../program.ts";

export type Kind = "api" | "worker" | "reconciler";

export interface StageProgram extends AsyncDisposable {
  readonly name: string;
  readonly kind: Kind;
  /** The current process of this place, or the last one. */
  readonly program: Program;
  /** Between this program and its services. */
  readonly database: FaultProxy;
  readonly redis: FaultProxy;
  /** Starts another process in place of an ended one. Retries while it does not come up, as a supervisor does. */
  restart(): Promise<void>;
}

export interface Place {
  readonly name: string;
  readonly kind: Kind;
  readonly dir: string;
  readonly postgres: { readonly url: string; readonly port: number };
  readonly redis: { readonly port: number };
  readonly delivery: "queue" | "pull";
  readonly env: Readonly<Record<string, string>>;
}

const leaveWithinMs = 8_000;
const restartPauseMs = 300;
const restartWithinMs = 180_000;

export async function startStageProgram(place: Place): Promise<StageProgram> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await startFaultProxy(place.postgres));
  const redis = stack.use(await startFaultProxy(place.redis));
  const env = { ...place.env, ...environmentOf(place, { database, redis }) };
  let started = 0;
  const start = (): Promise<Program> =>
    startProgram({
      // Each process has its own log, so that the output of the last one does not count as ready.
      name: `${place.name}.${++started}`,
      entry: `apps/${place.kind}/src/main.ts`,
      // The debugger is off until SIGUSR1.
      nodeArguments: ["--inspect-port=127.0.0.1:0"],
      env,
      dir: place.dir,
      readyWhen: new RegExp(`${place.kind}\\.started`),
    });
  let program = await start();
  stack.defer(() => leave(program));
  const owned = stack.move();
  return {
    name: place.name,
    kind: place.kind,
    get program() {
      return program;
    },
    database,
    redis,
    async restart() {
      const deadline = performance.now() + restartWithinMs;
      while (!program.isRunning && !owned.disposed) {
        try {
          program = await start();
        } catch (error) {
          if (performance.now() > deadline) throw error;
          await sleep(restartPauseMs);
        }
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Asks first, so that it can remove its mounts and processes. */
async function leave(program: Program): Promise<void> {
  program.signal("SIGCONT");
  await program.stop("SIGTERM", leaveWithinMs).catch(() => undefined);
}

function environmentOf(place: Place, its: { database: FaultProxy; redis: FaultProxy }): Record<string, string> {
  const databaseUrl = new URL(place.postgres.url);
  databaseUrl.port = String(its.database.port);
  const queue = place.delivery === "queue" ? { REDIS_URL: `redis://127.0.0.1:${its.redis.port}` } : {};
  return { DATABASE_URL: databaseUrl.toString(), ...queue };
}

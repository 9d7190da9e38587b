// Part `worker`: processor time and memory of a worker alone at rest: its process and what it started, without servers
// and without the reconciler, in whose absence a worker would dispatch as well.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@dari/embedded";
import type { Program } from "../../program.ts";
import { makeDir, platformEnvironment, startProgramOnStack } from "../contestant.ts";
import { startServers } from "../servers.ts";
import { cpuBetween, parts, readCpu, readMemory, rounded, total, type ByPart } from "./processes.ts";
import type { IdleRow } from "./idle.ts";

/** The settings of the images (infra/worker.Dockerfile). */
const imageEnvironment = (dir: string) => ({
  NODE_COMPILE_CACHE: path.join(dir, "compiled"),
  MALLOC_ARENA_MAX: "2",
});

/** The worker of this checkout, with its own servers and reconciler. `sandboxed` counts memory only. */
export async function measureIdleWorker(o: {
  readonly restSeconds: number;
  readonly seconds: number;
  /** Ends the start if the benchmark is interrupted. */
  readonly stack: AsyncDisposableStack;
}): Promise<IdleRow> {
  const dir = await makeDir("idle-worker", o.stack);
  const servers = await startServers(dir, o.stack);
  const own = { ...imageEnvironment(dir), DARI_WORK_DIR: path.join(dir, "work") };
  const env = { ...platformEnvironment(dir, servers, await freePort()), ...own };
  const start = (name: string): Promise<Program> => {
    const how = { name, entry: `apps/${name}/src/main.ts`, env, dir, readyWhen: /\.started/ };
    return startProgramOnStack(o.stack, how);
  };
  await start("reconciler");
  // Its first start compiles its modules, which an image has done.
  await (await start("worker")).stop();
  const { pid } = await start("worker");
  await sleep(o.restSeconds * 1_000);
  const before = readCpu(pid, pid);
  const startedAt = performance.now();
  await sleep(o.seconds * 1_000);
  const used = cpuBetween(before, readCpu(pid, pid), 0);
  const seconds = (performance.now() - startedAt) / 1_000;
  const memory = readMemory(pid, pid);
  return {
    seconds: o.seconds,
    cpu_ms: Math.round((total(used) / seconds) * 10) / 10,
    cpu_ms_by_part: rounded(Object.fromEntries(parts.map((part) => [part, used[part] / seconds])) as ByPart),
    pss_mb: Math.round(total(memory.pss)),
    pss_mb_by_part: rounded(memory.pss),
    processes: rounded(memory.processes),
  };
}

// Workers that die, hang, do not answer, or are asked to stop.

import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "@dari/testkit";
import { pick } from "../load/generator.ts";
import type { Sent } from "../load/journal.ts";
import type { StageProgram } from "../stage/stage-program.ts";
import { blockLoop } from "../stage/debugger.ts";
import { timing } from "../stage/stage.ts";
import type { Fault, Scene } from "./fault.ts";
import { findWorkerNow, waitForAttempt, checkWorkerResumes } from "./observations.ts";

/** Expiry, reaping, dispatch and a second of reserve. In milliseconds. */
const takeoverMs = timing.leaseMs + 2_500;
const exitMs = timing.graceMs + 3_000;

const longMs = 4_000;

/** Returns a worker that has just started a turn long enough for the strike. */
async function pickBusyWorker(scene: Scene): Promise<StageProgram> {
  const { stage } = scene;
  const sent: Sent[] = [];
  for (let i = 0; i < 4; i++) {
    const wish = { ms: longMs, delivery: "async" } as const;
    void scene.sending.send(pick(scene.tenants, scene.random), wish).then((one) => sent.push(one));
  }
  const busy = async (): Promise<StageProgram[]> => {
    const result = await stage.ask<{ pid: number }>(
      `select distinct (w.details ->> 'pid')::int as pid from dari.attempts a join dari.workers w on w.id = a.worker_id
        where a.message_id = any($1) and a.outcome is null and a.called_at > clock_timestamp() - interval '1 second'`,
      [sent.flatMap(({ messageIds }) => [...messageIds])],
    );
    const pids = result.map(({ pid }) => pid);
    return stage.workers.filter(({ program }) => program.isRunning && pids.includes(program.pid));
  };
  const what = { what: "a worker that runs a long turn", timeoutMs: 10_000 };
  const found = await waitUntil(async () => (await busy()).length > 0 && busy(), what).catch(() => []);
  return pick(found.length > 0 ? found : stage.workers, scene.random);
}

/** Kills a worker with kill -9. Its running attempts are lost from here. */
export async function killWorker(scene: Scene, worker: StageProgram): Promise<void> {
  await scene.lose(worker);
  await worker.program.kill();
}

export const workerFaults: readonly Fault[] = [
  {
    number: 1,
    name: "worker-killed",
    says: "kill -9 of a worker in the middle of its turns",
    holds: ["worker"],
    rounds: 5,
    lastsMs: () => 500,
    bounds: { takeoverMs },
    async inject(scene) {
      const worker = await pickBusyWorker(scene);
      const before = await findWorkerNow(scene.stage, worker);
      await killWorker(scene, worker);
      return async () => {
        await Promise.all([worker.restart(), waitForAttempt(scene, before, "lost")]);
      };
    },
  },
  {
    number: 2,
    name: "worker-paused",
    says: "a worker is stopped for longer than its lease and wakes as a zombie",
    holds: ["worker"],
    rounds: 1,
    lastsMs: ({ isAlone, random }) => (isAlone ? 60_000 : timing.leaseMs * (2 + 2 * random())),
    bounds: { takeoverMs },
    async inject(scene) {
      const worker = await pickBusyWorker(scene);
      const before = await findWorkerNow(scene.stage, worker);
      await scene.lose(worker);
      worker.program.signal("SIGSTOP");
      return async () => {
        await waitForAttempt(scene, before, "lost");
        worker.program.signal("SIGCONT");
        await checkWorkerResumes(scene, worker);
      };
    },
  },
  {
    number: 3,
    name: "worker-blocked",
    says: "a worker's event loop is blocked for longer than its lease, while its agents continue",
    holds: ["worker"],
    rounds: 2,
    lastsMs: () => timing.leaseMs * 2.5,
    bounds: { takeoverMs },
    async inject(scene, round) {
      const worker = await pickBusyWorker(scene);
      const before = await findWorkerNow(scene.stage, worker);
      await scene.lose(worker);
      await blockLoop(worker.program, this.lastsMs(scene, round));
      return async () => {
        await waitForAttempt(scene, before, "lost");
        await checkWorkerResumes(scene, worker);
      };
    },
  },
  {
    number: 4,
    name: "worker-drained",
    says: "SIGTERM with turns that are longer than the grace, with Redis there and with Redis silent",
    // The worker gives its turns back in the database. If that is down, it exits with 1 when its time is up.
    holds: ["worker", "redis", "postgres"],
    rounds: 2,
    lastsMs: () => 0,
    bounds: { lostAttempts: 0 },
    async inject(scene, round) {
      const worker = await pickBusyWorker(scene);
      const before = await findWorkerNow(scene.stage, worker);
      if (round % 2 === 1) worker.redis.blackHole();
      await drain(scene, worker);
      await waitForAttempt(scene, before, "released");
      return () => {
        worker.redis.forward();
        return worker.restart();
      };
    },
  },
];

/** Sends SIGTERM: it must leave within its grace period and some reserve, without an error. */
export async function drain(scene: Scene, stageProgram: StageProgram): Promise<void> {
  const askedAt = performance.now();
  stageProgram.program.signal("SIGTERM");
  const end = await Promise.race([stageProgram.program.ended, sleep(exitMs + 20_000)]);
  if (end === undefined) {
    await stageProgram.program.kill();
    scene.accuse(`${stageProgram.name} did not end after SIGTERM`);
    return;
  }
  scene.measure(`${stageProgram.kind}_exit_ms`, performance.now() - askedAt, exitMs);
  if (end.code !== 0) scene.accuse(`${stageProgram.name} ended with ${end.code ?? end.signal} after SIGTERM`);
}

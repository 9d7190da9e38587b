// Faults of operators and disks: a rolling deploy with its migration under load, and full storage.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { migrate } from "@dari/db";
import { waitUntil } from "@dari/testkit";
import { descendantsOf } from "../../processes.ts";
import type { Fault, Heal, Scene } from "./fault.ts";
import { databaseNow, hasInternalFailure } from "./observations.ts";
import { drain } from "./workers.ts";

export const operationFaults: readonly Fault[] = [
  {
    number: 24,
    name: "rolling-deploy",
    says: "every program is replaced one after the other, and the schema migrated, under load",
    holds: ["worker", "api", "reconciler"],
    rounds: 1,
    lastsMs: () => 0,
    bounds: { lostAttempts: 0, gapMs: 3_000 },
    async inject(scene) {
      await rollOver(scene);
      return () => undefined;
    },
  },
  {
    number: 25,
    name: "disk-full",
    says: "no byte more can be written to the database's log, or to the objects",
    holds: ["postgres", "worker"],
    rounds: 2,
    lastsMs: () => 6_000,
    bounds: { mayFailTurns: true, gapMs: 8_000 },
    inject: (scene, round) => (round % 2 === 0 ? fillDatabase(scene) : fillObjects(scene)),
  },
];

async function rollOver(scene: Scene): Promise<void> {
  const { stage, journal } = scene;
  const refusedBefore = serverErrors(journal.refusals);
  // Another fault may have just taken the database or its last connection away.
  const isMigrated = (): Promise<boolean> =>
    migrate(stage.postgres.url).then(
      () => true,
      () => false,
    );
  await waitUntil(isMigrated, { what: "the schema to be brought up to date", timeoutMs: 60_000 });
  const before = new Set(stage.programs.map(({ program }) => program.pid));
  for (const stageProgram of stage.programs) {
    await drain(scene, stageProgram);
    await stageProgram.restart();
  }
  await migrate(stage.postgres.url);
  if (stage.programs.every(({ program }) => !before.has(program.pid))) scene.seen();
  scene.measure("server_errors", serverErrors(journal.refusals) - refusedBefore, 0);
}

function serverErrors(refusals: ReadonlyMap<string, number>): number {
  return [...refusals].reduce((sum, [what, count]) => (/^5\d\d /.test(what) ? sum + count : sum), 0);
}

/** Files cannot grow beyond their size, which is a full disk to a program. */
async function limitFiles(pids: readonly number[], bytes: string): Promise<void> {
  for (const pid of pids) {
    // It may have ended in the meantime.
    await promisify(execFile)("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:`]).catch(() => undefined);
  }
}

async function fillDatabase({ stage, journal, excuse, seen }: Scene): Promise<Heal> {
  const excused = excuse();
  const refusedBefore = serverErrors(journal.refusals);
  const { pid } = stage.postgres;
  await limitFiles([pid, ...descendantsOf(pid)], "65536");
  return async () => {
    if (serverErrors(journal.refusals) > refusedBefore) seen();
    await limitFiles([pid, ...descendantsOf(pid)], "unlimited");
    // It exits if it cannot write its log, and may fail during recovery. Its supervisor starts it again.
    await stage.postgres.end("SIGQUIT");
    await stage.postgres.start();
    excused();
  };
}

/** Only what a worker writes itself: the objects of turns. Its agents have their own limits. */
async function fillObjects({ stage, seen, accuse }: Scene): Promise<Heal> {
  const pids = stage.workers.map(({ program }) => program.pid);
  const since = await databaseNow(stage);
  await limitFiles(pids, "0");
  return async () => {
    await limitFiles(pids, "unlimited");
    for (const worker of stage.workers) {
      if (!worker.program.isRunning) accuse(`${worker.name} did not outlive a full disk`);
      await worker.restart();
    }
    if (await hasInternalFailure(stage, since)) seen();
  };
}

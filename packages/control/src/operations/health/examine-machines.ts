// Checks the machines and services of the platform: versions, clocks, disks, and isolation of agents.

import { health, type Database } from "@dari/db";
import type { TurnQueue } from "@dari/queue";
import { failedCheck, passedCheck, type CheckResult } from "./check-result.ts";

/** Leases use the database's clock. Signed URLs and expiry times tolerate more than this. */
const skewMsMax = 5_000;
/** Below this, turns and builds soon fail with `disk_full`. In bytes. */
const diskFreeMin = 1024 ** 3;
const oldestPostgres = 15;
const oldestRedis = [6, 2] as const;

/**
 * Each worker tests its sandbox when it starts, and reports the result. Not faults: a machine that could isolate
 * better, and workers without control groups whose operator chose `watched`. Faults: agents without isolation, other
 * workers without control groups if there are several organizations, and workers that differ.
 */
export function checkIsolation(workers: readonly health.SeenWorker[], hasSeveralOrganizations: boolean): CheckResult {
  const open = workers.filter((worker) => !worker.details.guarantees.isolated);
  if (open.length > 0) {
    const advice =
      "set DARI_SANDBOX=auto there and restart it: it reports what the machine lacks; `process` is for development";
    return failedCheck(`agents are not isolated on ${idsOf(open)}`, fixesOf(open) || advice);
  }
  const [watched, unbounded] = withoutGroups(workers);
  if (hasSeveralOrganizations && unbounded.length > 0) {
    const found = `several organizations share ${idsOf(unbounded)}, where no control group limits a turn`;
    return failedCheck(found, fixesOf(unbounded) || "give the workers a control group in which they can make others");
  }
  const kinds = Map.groupBy(workers, kindOf);
  if (kinds.size > 1) {
    const found = [...kinds.values()].map((alike) => `${idsOf(alike)}: ${summaryOf(alike[0]!)}`);
    const advice = "set DARI_SANDBOX to the driver that all should have: a worker that cannot use it does not start";
    return failedCheck(`workers differ: ${found.join("; ")}`, fixesOf(workers) || advice);
  }
  if (workers.length === 0) return passedCheck("no worker to ask");
  const lacks = [...new Set(workers.flatMap(({ details }) => details.missing).map(sentenceOf))];
  const chosen = `no control group limits a turn on ${idsOf(watched)}, as DARI_MINIMUM_ISOLATION=watched allows`;
  const facts = hasSeveralOrganizations && watched.length > 0 ? [chosen] : [];
  return passedCheck([`agents run in ${summaryOf(workers[0]!)}`, ...facts, ...lacks].join("; "));
}

/** Returns the workers without control groups: those whose operator chose `watched`, and the others. */
function withoutGroups(workers: readonly health.SeenWorker[]): [health.SeenWorker[], health.SeenWorker[]] {
  const unbounded = workers.filter(({ details }) => {
    const { memory, processes } = details.guarantees.limits;
    return memory !== "per_sandbox" || processes !== "per_sandbox";
  });
  const isChosen = ({ details }: health.SeenWorker): boolean => details.minimumIsolation === "watched";
  return [unbounded.filter(isChosen), unbounded.filter((worker) => !isChosen(worker))];
}

/** Returns the driver and its guarantees. Equal workers have equal texts. */
function kindOf({ details: { sandbox, guarantees } }: health.SeenWorker): string {
  return JSON.stringify([sandbox, { ...guarantees, notes: undefined }]);
}

function summaryOf({ details: { sandbox, guarantees } }: health.SeenWorker): string {
  const { memory, processes, cpu } = guarantees.limits;
  return `${sandbox} (memory ${memory}, processes ${processes}, processors ${cpu})`;
}

const sentenceOf = ({ what, fix }: { what: string; fix: string }): string => `without ${what}: ${fix}`;

function fixesOf(workers: readonly health.SeenWorker[]): string {
  return [...new Set(workers.flatMap(({ details }) => details.missing).map(({ fix }) => fix))].join("; ");
}

export function checkDisks(workers: readonly health.SeenWorker[]): CheckResult {
  const known = workers.map(({ id, details }) => ({ id, bytes: details.disk.freeBytes }));
  const [least] = known.sort((one, other) => one.bytes - other.bytes);
  if (least === undefined) return passedCheck("no worker to ask");
  const found = `${(least.bytes / 1e9).toFixed(1)} GB are free on ${least.id}, the least`;
  if (least.bytes >= diskFreeMin) return passedCheck(found);
  return failedCheck(found, "give DARI_WORK_DIR more room, or set DARI_CACHE_BYTES lower");
}

/** Compares this process's clock and every worker's with the database's. */
export async function checkClocks(db: Database, workers: readonly health.SeenWorker[]): Promise<CheckResult> {
  const clocks = workers.map(({ id, seenAtMs, details }) => ({ of: id, skewMs: details.clockMs - seenAtMs }));
  const askedAt = Date.now();
  const databaseMs = await health.getDatabaseTimeMs(db);
  clocks.push({ of: "this API", skewMs: (askedAt + Date.now()) / 2 - databaseMs });
  const [worst] = clocks.sort((one, other) => Math.abs(other.skewMs) - Math.abs(one.skewMs));
  const found = `${(Math.abs(worst!.skewMs) / 1_000).toFixed(1)} s between the database and ${worst!.of}, at most`;
  return Math.abs(worst!.skewMs) <= skewMsMax
    ? passedCheck(found)
    : failedCheck(found, "synchronize the clocks of all machines with NTP");
}

/** Checks the versions, and that Redis never evicts jobs. @throws the error of a service that cannot be reached. */
export async function checkServices(db: Database, queue: Pick<TurnQueue, "server"> | undefined): Promise<CheckResult> {
  const postgres = await health.getServerVersion(db);
  const redis = await queue?.server();
  const found = [`PostgreSQL ${postgres}`, ...(redis === undefined ? [] : [`${redis.name} ${redis.version}`])].join(
    ", ",
  );
  if (Number.parseInt(postgres, 10) < oldestPostgres) {
    return failedCheck(found, `use PostgreSQL ${oldestPostgres} or later`);
  }
  if (redis === undefined) return passedCheck(found);
  const [major = 0, minor = 0] = redis.version.split(".").map(Number);
  if (major < oldestRedis[0] || (major === oldestRedis[0] && minor < oldestRedis[1])) {
    return failedCheck(found, `use Redis ${oldestRedis.join(".")} or later, or Valkey`);
  }
  if (redis.evictionPolicy === undefined || redis.evictionPolicy === "noeviction") return passedCheck(found);
  return failedCheck(
    `${found}, which evicts (${redis.evictionPolicy})`,
    "set maxmemory-policy to noeviction: the turn of an evicted job waits until the job is created again",
  );
}

function idsOf(workers: readonly health.SeenWorker[]): string {
  return workers.map(({ id }) => id).join(", ");
}

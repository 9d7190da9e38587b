// Checks the whole installation for its operators: what is wrong, and what to do about it.

import { randomUUID } from "node:crypto";
import { dariRelease, type HealthCheck, type OperatorHealth } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { hasSeveralOrganizations } from "@dari/control/tenants";
import { dispatcherLead, workerSeenWithinMs } from "@dari/control/turns";
import { dispatch, findViolations, getRowSecurityState, health, newestMigration, type Database } from "@dari/db";
import { checkClocks, checkDisks, checkIsolation, checkServices } from "./examine-machines.ts";
import { failedCheck, passedCheck, type CheckResult } from "./check-result.ts";
import { countTurns } from "./waiting-turns.ts";

/** A leader that was silent for longer counts as gone. */
const leadSeenWithinMs = 5_000;
/** A ready turn that no limit holds back should not wait longer than this while a slot is free. */
const waitMsMax = 10_000;

/** Reads every table once for the invariants. A check that cannot be run is a fault. */
export async function examinePlatform(control: Control): Promise<OperatorHealth> {
  const { db, queue } = control;
  const workers = await health.listWorkers(db);
  // Rows of dead workers are kept for a while. Ignore what they report.
  const alive = workers.filter(({ seenMsAgo }) => seenMsAgo <= workerSeenWithinMs);
  const violations: OperatorHealth["violations"] = [];
  const checks = [
    await attempt("schema", "check the API's log", () => checkSchema(db)),
    await attempt("fence", "check the API's log", () => checkRowSecurity(db)),
    await attempt("workers", "check the API's log", () => checkWorkers(db)),
    await attempt("isolation", "check the API's log", () =>
      hasSeveralOrganizations(db).then((several) => checkIsolation(alive, several)),
    ),
    await attempt("disks", "check the API's log", () => Promise.resolve(checkDisks(alive))),
    await attempt("clocks", "check the API's log", () => checkClocks(db, alive)),
    await attempt("services", "check REDIS_URL and the Redis server", () => checkServices(db, queue)),
    await attempt("waiting", "check the API's log", () => checkWaiting(db)),
    await attempt("dispatcher", "check the API's log", () => checkDispatcher(db)),
    await attempt(
      "queue",
      "check REDIS_URL and the Redis server; until then, workers fetch turns from PostgreSQL",
      () => checkQueue(control),
    ),
    await attempt("objects", "check the object store, its credentials' rights and its free space", () =>
      checkObjects(control),
    ),
    await attempt("invariants", "run this again when the database is less busy", async () => {
      violations.push(...(await findViolations(db)));
      return judge(violations);
    }),
  ];
  return {
    ok: checks.every((check) => check.ok),
    release: dariRelease,
    checks,
    workers: workers.map(({ id, pool, slots, draining, seenMsAgo }) => {
      return { id, pool, slots, draining, seen_ms_ago: Math.round(seenMsAgo) };
    }),
    violations,
  };
}

async function attempt(name: string, whatToDo: string, check: () => Promise<CheckResult>): Promise<HealthCheck> {
  try {
    return { name, ...(await check()) };
  } catch (error) {
    return { name, ...failedCheck(`could not be checked: ${error instanceof Error ? error.message : "?"}`, whatToDo) };
  }
}

async function checkSchema(db: Database): Promise<CheckResult> {
  const [known, found] = [await newestMigration(), await health.findNewestMigration(db)];
  if (found === known) return passedCheck(found);
  if (found !== undefined && found > known) {
    return failedCheck(
      `${found}; this API knows ${known}`,
      "a newer release has prepared the database: update the API",
    );
  }
  return failedCheck(
    `${found ?? "none"}; this API needs ${known}`,
    "restart any program of this release: it migrates first",
  );
}

async function checkRowSecurity(db: Database): Promise<CheckResult> {
  const { isEnabled, runsAs, isBypassed, tablesWithout, user } = await getRowSecurityState(db);
  const role = "the role dari_tenant";
  if (!isEnabled && runsAs !== null) {
    return failedCheck(
      `connections for calls of organizations run as ${runsAs} and not as dari_tenant; such calls are refused`,
      'make the pooler in front of PostgreSQL pass on the startup parameter "options", or connect without one',
    );
  }
  if (!isEnabled) {
    const make = `create role dari_tenant nologin; grant dari_tenant to "${user}"`;
    return failedCheck(
      "calls of organizations run without row-level security",
      `run \`${make}\` as an administrator of the database, once, and restart every program`,
    );
  }
  if (isBypassed) {
    return failedCheck(
      `${role} passes over row-level security`,
      "take SUPERUSER, BYPASSRLS and the role dari_app from it",
    );
  }
  if (tablesWithout.length > 0)
    return failedCheck(
      `tables without row-level security: ${tablesWithout.join(", ")}`,
      "restart any program: it migrates first",
    );
  return passedCheck("calls of organizations run behind row-level security");
}

async function checkWorkers(db: Database): Promise<CheckResult> {
  const { workers, slots, inFlight } = await dispatch.getFleetLoad(db, workerSeenWithinMs);
  const found = `${workers} seen lately, ${slots} slots, ${inFlight} turns on them`;
  return slots > 0 ? passedCheck(found) : failedCheck(found, "start a worker, or read in its log why it is silent");
}

async function checkWaiting(db: Database): Promise<CheckResult> {
  const [load, waiting] = [await dispatch.getFleetLoad(db, workerSeenWithinMs), await health.getQueueWait(db)];
  const { ready } = await health.countSessionsBySchedule(db);
  if (ready === 0) return passedCheck("no turn waits for a slot");
  if (waiting.oldestMs === null)
    return passedCheck(`${ready} turns wait for the max_concurrency of their agent or batch`);
  const found = `${ready} wait for a slot, the longest has waited ${seconds(waiting.oldestMs)}`;
  // If no worker can start a turn now, the dispatcher waits.
  const areSlotsFree = load.inFlight < load.slots && load.starts > 0;
  const isStuck = areSlotsFree && (waiting.oldestWithoutSlotMs ?? 0) > waitMsMax;
  return isStuck
    ? failedCheck(`${found}, although slots are free`, "read the logs of the reconciler and of the workers")
    : passedCheck(found);
}

async function checkDispatcher(db: Database): Promise<CheckResult> {
  const leader = await health.findLeader(db, dispatcherLead);
  const whatToDo = "start a reconciler; until then, workers dispatch for themselves, and nothing repairs lost turns";
  if (leader === undefined) return failedCheck("no reconciler leads the dispatch", whatToDo);
  const found = `${leader.holder} leads, seen ${seconds(leader.seenMsAgo)} ago`;
  return leader.seenMsAgo <= leadSeenWithinMs ? passedCheck(found) : failedCheck(found, whatToDo);
}

/** @throws the error of Redis if it cannot be reached. */
async function checkQueue({ db, queue }: Control): Promise<CheckResult> {
  if (queue === undefined) return passedCheck("none is configured: workers pull from the database");
  const counts = Object.entries(await countTurns(db, queue)).map(([state, count]) => `${count} ${state}`);
  return passedCheck(counts.join(", "));
}

/** @throws the error of the store if one of the four operations fails. */
async function checkObjects({ blobs }: Control): Promise<CheckResult> {
  await blobs.check();
  const [key, content] = [`doctor/${randomUUID()}`, Buffer.from("written by dari doctor")];
  try {
    await blobs.put(key, content);
    if (!(await blobs.read(key)).equals(content))
      throw new Error("an object was read with other contents than written");
    const listed: string[] = [];
    for await (const { key: found } of blobs.list("doctor/")) listed.push(found);
    if (!listed.includes(key)) throw new Error("a written object is not listed");
  } finally {
    await blobs.delete([key]);
  }
  return passedCheck("objects can be written, read, listed and deleted");
}

function judge(violations: OperatorHealth["violations"]): CheckResult {
  if (violations.length === 0) return passedCheck("all hold");
  const names = violations.map(({ invariant, rows }) => `${invariant} (${rows.join(", ")})`);
  return failedCheck(
    `violated: ${names.join("; ")}`,
    "keep the rows as they are and report them with the logs of the workers that held them",
  );
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

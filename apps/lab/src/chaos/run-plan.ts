// One run on a stage: a load, faults by a plan, then quiet and judgement. Returns one JSON object.

import { cp } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { takeovers } from "@dari/db";
import type { Excuse, Loss } from "./check/recovery.ts";
import { isQuietWithin } from "./check/remains.ts";
import { report, type Figures, type Report } from "./check/report.ts";
import type { Scene } from "./faults/fault.ts";
import { startSending, type Sending } from "./load/generator.ts";
import { openJournal } from "./load/journal.ts";
import { openTenant, openTenants, type Tenant } from "./load/tenants.ts";
import { tryForeignAccess } from "./load/foreign-access.ts";
import type { Plan } from "./plan.ts";
import { seededRandom } from "./seeded-random.ts";
import type { Stage } from "./stage/stage.ts";
import { strikeAll } from "./strikes.ts";

/** The time before the first fault, with which later starts are compared. In milliseconds. */
const calmMs = 3_000;
/** Work that is still open after this time is stuck, in milliseconds. */
const sharedPatienceMs = 180_000;

/** `stage`: a quiet one. If the report is good, it is quiet again afterwards. */
export async function runPlan(plan: Plan, stage: Stage, say: (line: string) => void): Promise<Report> {
  const random = seededRandom(plan.seed);
  const effectsFile = path.join(stage.dir, `effects-${crypto.randomUUID()}.jsonl`);
  const tenants = await openTenants(stage, effectsFile, plan);
  const guests: Tenant[] = [];
  const journal = openJournal();
  const figures = emptyFigures();
  const done = new AbortController();
  const sending = startSending(journal, tenants, plan.load, seededRandom(plan.seed + 1));
  const trespassing = tryForeignAccess(journal, tenants, done.signal);
  const counting = countOpen(stage, tenants, sending, done.signal);
  const scene: Omit<Scene, "seen"> = {
    ...{ stage, journal, tenants, sending, random, signal: done.signal, isAlone: plan.mode === "alone" },
    ...noteIn(figures, stage),
    async openTenant(sessions) {
      const guest = await openTenant(stage, effectsFile, sessions);
      guests.push(guest);
      return guest;
    },
  };
  say(`${plan.name}: the load runs (seed ${plan.seed})`);
  await sleep(calmMs);
  figures.firstStrikeAt = Date.now();
  await strikeAll(plan, scene, figures, say);
  await sending.enough();
  say(`${plan.name}: ${sending.begun} sent and acknowledged`);
  const isQuiet = await isQuietWithin(stage, sharedPatienceMs);
  done.abort();
  await Promise.all([trespassing, counting]);
  const idsOf = (list: readonly Tenant[]): string[] => list.map(({ organizationId }) => organizationId);
  const books = { organizationIds: idsOf([...tenants, ...guests]), guestIds: idsOf(guests), effectsFile };
  const result = await report({ plan, stage, journal, figures, isQuiet, books });
  return result.ok ? result : { ...result, logs: await keepLogs(stage) };
}

const countEveryMs = 300;

/** Tells the load how many of its messages are open. While the database is unavailable, repeats the last number. */
export async function countOpen(
  stage: Pick<Stage, "db">,
  tenants: readonly Tenant[],
  sending: Sending,
  signal: AbortSignal,
): Promise<void> {
  const ids = tenants.map(({ organizationId }) => organizationId);
  const query = "select count(*)::int as n from dari.messages where organization_id = any($1) and completed_at is null";
  while (!signal.aborted) {
    const result = await stage.db.pool.query<{ n: number }>(query, [ids]).catch(() => undefined);
    if (result !== undefined) sending.noteOpen(result.rows[0]?.n ?? 0);
    await sleep(countEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Copies the programs' logs to a directory that is kept, to explain failures. */
async function keepLogs(stage: Stage): Promise<string> {
  const dir = `${stage.dir}-logs`;
  await cp(stage.dir, dir, {
    recursive: true,
    filter: (file) => file === stage.dir || /\.(log|jsonl)$/.test(file) || file === path.join(stage.dir, "postgres"),
  });
  return dir;
}

function emptyFigures(): Figures {
  const lists = { strikes: [], skipped: [], losses: [], excuses: [], measures: [], accusations: [] };
  return { ...lists, startedAt: Date.now(), firstStrikeAt: Infinity };
}

function noteIn(figures: Figures, stage: Stage): Pick<Scene, "lose" | "excuse" | "measure" | "accuse"> {
  return {
    async lose(worker) {
      const at = Date.now();
      const id = await takeovers.findWorkerByPid(stage.db, worker.program.pid).catch(() => undefined);
      figures.losses.push({ workerId: id ?? `unnamed ${figures.losses.length}`, at } satisfies Loss);
    },
    excuse() {
      const excuse: { from: number; to: number } = { from: Date.now(), to: Infinity };
      figures.excuses.push(excuse satisfies Excuse);
      return () => (excuse.to = Date.now());
    },
    measure: (name, value, atMost) => void figures.measures.push({ name, value: Math.round(value), atMost }),
    accuse: (sentence) => void figures.accusations.push(sentence),
  };
}

// The output of a run: figures, and every sentence for which it fails.

import { findViolations } from "@dari/db";
import { describeMachine } from "../../machine.ts";
import type { Bounds } from "../faults/fault.ts";
import type { Journal } from "../load/journal.ts";
import type { Plan } from "../plan.ts";
import { timing, type Stage } from "../stage/stage.ts";
import { readBooks, type Books, type Run } from "./books.ts";
import {
  longestGapMs,
  lostWhileRunning,
  spread,
  startDelays,
  takeoverMs,
  type Excuse,
  type Loss,
  type Spread,
} from "./recovery.ts";
import { listRemains } from "./remains.ts";
import { judge, type Verdict } from "./verdict.ts";

/** Recorded during a run. */
export interface Figures {
  readonly strikes: { readonly name: string; readonly round: number; readonly at: number; wasSeen: boolean }[];
  readonly skipped: string[];
  readonly losses: Loss[];
  readonly excuses: Excuse[];
  readonly measures: { readonly name: string; readonly value: number; readonly atMost: number }[];
  readonly accusations: string[];
  readonly startedAt: number;
  firstStrikeAt: number;
}

export interface Report {
  readonly ok: boolean;
  readonly name: string;
  readonly seed: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  readonly out_of_order: number;
  readonly stuck: number;
  readonly wrong: number;
  readonly invariant_rows: number;
  readonly left_behind: number;
  /** For each fault: how often it struck, and how often its effect was observed. */
  readonly strikes: Readonly<Record<string, readonly [struck: number, seen: number]>>;
  readonly skipped: readonly string[];
  readonly takeover_ms: Spread;
  readonly takeovers_ms: readonly number[];
  readonly longest_gap_ms: number;
  readonly seconds: number;
  /** Sentences; only some of them if there are many. */
  readonly broken: readonly string[];
  readonly [figure: string]: unknown;
}

const shownMax = 12;

export async function report(run: {
  plan: Plan;
  stage: Stage;
  journal: Journal;
  figures: Figures;
  isQuiet: boolean;
  books: Run;
}): Promise<Report> {
  const { plan, stage, journal, figures, isQuiet } = run;
  const remains = isQuiet ? await listRemains(stage) : [];
  const books = await readBooks(stage, run.books, journal.sent);
  const verdict = judge(books);
  const broken = await findViolations(stage.db);
  const violations = broken.map(({ invariant, rows }) => `${invariant}: ${rows.join(", ")}`);
  const timings = timingsOf(books, journal, figures, run.books.guestIds);
  const bounds = brokenBounds(plan, figures, timings, verdict);
  const { lost, doubled, disordered, stuck, wrong } = verdict;
  const sentences = [...lost, ...doubled, ...disordered, ...stuck, ...wrong, ...violations, ...remains, ...bounds];
  const faults = [...sentences, ...journal.faults, ...figures.accusations];
  return {
    ok: faults.length === 0,
    name: plan.name,
    seed: plan.seed,
    acknowledged: verdict.acknowledged,
    completed: verdict.completed,
    failed: verdict.failed,
    cancelled: verdict.cancelled,
    lost: lost.length,
    doubled: doubled.length,
    out_of_order: disordered.length,
    stuck: stuck.length,
    wrong: wrong.length,
    invariant_rows: broken.reduce((sum, { rows }) => sum + rows.length, 0),
    left_behind: remains.length,
    failed_by_platform: verdict.failedByPlatform.length,
    attempts: outcomesOf(books),
    strikes: strikesOf(figures),
    skipped: figures.skipped,
    takeover_ms: timings.takeovers,
    takeovers_ms: timings.takeoversMs,
    longest_gap_ms: timings.gapMs,
    start_ms: timings.starts,
    calm_start_max_ms: timings.calmMs,
    accept_ms: timings.accepts,
    measures: measuresOf(figures),
    refusals: Object.fromEntries(journal.refusals),
    seconds: Math.round((Date.now() - figures.startedAt) / 1_000),
    lease_ms: timing.leaseMs,
    machine: describeMachine(),
    broken: faults.slice(0, shownMax),
    ...(faults.length > shownMax ? { broken_in_all: faults.length } : {}),
  };
}

/** Returns the report of a run that could not start. */
export function emptyReport({ name, seed }: Plan, why: string): Report {
  const promises = { lost: 0, doubled: 0, out_of_order: 0, stuck: 0, wrong: 0, invariant_rows: 0, left_behind: 0 };
  const figures = { takeover_ms: spread([]), takeovers_ms: [], longest_gap_ms: 0, seconds: 0 };
  return { ok: false, name, seed, acknowledged: 0, ...promises, ...figures, strikes: {}, skipped: [], broken: [why] };
}

interface Timings {
  readonly takeoversMs: readonly number[];
  readonly takeovers: Spread;
  readonly lostAttempts: number;
  readonly gapMs: number;
  readonly starts: Spread;
  readonly calmMs: number;
  readonly accepts: Spread & { readonly p99: number };
  readonly calmAcceptMs: number;
}

function timingsOf(books: Books, journal: Journal, figures: Figures, guestIds: readonly string[]): Timings {
  const delays = startDelays(books, figures.excuses, guestIds);
  const isCalm = ({ at }: { at: number }): boolean => at < figures.firstStrikeAt - 1_000;
  const msOf = (list: readonly { ms: number }[]): number[] => list.map(({ ms }) => ms).sort((a, b) => a - b);
  const accepts = msOf(journal.answerMs.filter((one) => !isCalm(one)));
  const takeoversMs = takeoverMs(books, figures.losses).map(Math.round);
  return {
    takeoversMs,
    takeovers: spread(takeoversMs),
    lostAttempts: lostWhileRunning(books).length,
    gapMs: longestGapMs(books, figures.excuses),
    starts: spread(delays.filter((one) => !isCalm(one)).map(({ ms }) => ms)),
    calmMs: Math.round(Math.max(0, ...delays.filter(isCalm).map(({ ms }) => ms))),
    calmAcceptMs: msOf(journal.answerMs.filter(isCalm)).at(-1) ?? 0,
    accepts: { ...spread(accepts), p99: accepts[Math.floor(accepts.length * 0.99)] ?? 0 },
  };
}

/** Returns the widest limit of the faults that struck: together they can do what the worst of them does. */
function loosestBound(plan: Plan, bound: keyof Bounds): number | undefined {
  const values = plan.faults.map(({ bounds }) => bounds[bound]);
  return values.every((value) => typeof value === "number") ? Math.max(...values) : undefined;
}

function brokenBounds(plan: Plan, figures: Figures, timings: Timings, verdict: Verdict): string[] {
  // Limits are judged only for one fault or a known pair. In a mixed run, the database can be away at the same time.
  const judged = plan.mode === "mixed" ? [] : figures.measures;
  const broken = judged
    .filter(({ value, atMost }) => value > atMost * plan.stretch)
    .map(({ name, value, atMost }) => `${name} is ${value}, of at most ${atMost}`);
  const hold = (what: string, value: number, bound: number | undefined): void => {
    if (bound !== undefined && value > bound * plan.stretch) broken.push(`${what} is ${value}, of at most ${bound}`);
  };
  hold("the longest takeover", timings.takeovers.max, loosestBound(plan, "takeoverMs"));
  hold("the longest gap", timings.gapMs, loosestBound(plan, "gapMs"));
  const acceptMs = loosestBound(plan, "acceptMs");
  if (acceptMs !== undefined) hold("p99 of accepting", timings.accepts.p99, timings.calmAcceptMs + acceptMs);
  // A busy machine can starve a worker past its lease; then nothing is known of the fault.
  if (plan.stretch === 1)
    hold("the number of attempts lost while they ran", timings.lostAttempts, loosestBound(plan, "lostAttempts"));
  const startMs = loosestBound(plan, "startMs");
  if (startMs !== undefined) hold("the latest start", timings.starts.max, timings.calmMs + startMs);
  if (!plan.faults.some(({ bounds }) => bounds.mayFailTurns === true)) {
    broken.push(...verdict.failedByPlatform.map((id) => `${id} failed, and the platform was the cause`));
  }
  return broken;
}

function outcomesOf(books: Books): Record<string, number> {
  const attempts = [...books.attempts.values()].flat();
  const groups = Map.groupBy(attempts, ({ outcome }) => outcome ?? "open");
  return Object.fromEntries([...groups].map(([outcome, list]) => [outcome, list.length]));
}

function measuresOf(figures: Figures): Record<string, Spread> {
  const groups = Map.groupBy(figures.measures, ({ name }) => name);
  return Object.fromEntries([...groups].map(([name, list]) => [name, spread(list.map(({ value }) => value))]));
}

function strikesOf({ strikes }: Figures): Record<string, [number, number]> {
  const groups = [...Map.groupBy(strikes, ({ name }) => name)];
  return Object.fromEntries(
    groups.map(([name, list]) => [name, [list.length, list.filter((one) => one.wasSeen).length]]),
  );
}

// Breaks a whole platform on purpose and judges what became of every acknowledged message. A line per run and one for
// all; exit code 1 when a promise or a bound is broken. See README.md.
//
//   npm run lab -- chaos/run --fault 1..25|name   one fault alone (several: with commas)
//                            --pair a+b           two at a time
//                            --pairs              all of the pairs
//                            --mixed --seed 1     any of them, at any time
//                            --all                everything, over five seeds
//                            --smoke              a short mixed run
//                            --isolated           agents in sandboxes, forked from what has loaded them
//   further: --turns N  --rate N  --workers N  --delivery queue|pull  --json FILE
//            --stretch N  the bounds times N, on a machine that others use

import { writeFileSync } from "node:fs";
import { emptyReport, type Report } from "./check/report.ts";
import { UnknownFaultError } from "./faults/index.ts";
import { summarize, summarizeAll, totalOf } from "./check/summary.ts";
import { choosePlans, type Choice } from "./plans.ts";
import type { Plan } from "./plan.ts";
import { runPlan } from "./run-plan.ts";
import { startStage, type Stage } from "./stage/stage.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({
  fault: { type: "string", multiple: true, default: [] },
  pair: { type: "string", multiple: true, default: [] },
  pairs: { type: "boolean", default: false },
  mixed: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  smoke: { type: "boolean", default: false },
  seed: { type: "string", default: "1" },
  turns: { type: "string" },
  rate: { type: "string" },
  workers: { type: "string" },
  delivery: { type: "string", default: "queue" },
  stretch: { type: "string" },
  isolated: { type: "boolean", default: false },
  json: { type: "string" },
});
const { values } = flags;

const split = (list: readonly string[]): string[] => list.flatMap((text) => text.split(","));
const choice: Choice = {
  faults: split(values.fault),
  pairs: split(values.pair),
  isPairs: values.pairs,
  isMixed: values.mixed,
  isAll: values.all,
  isSmoke: values.smoke,
  seed: flags.whole("seed", 0),
  turns: flags.number("turns", 1),
  perSecond: flags.number("rate", 0.1),
  workers: flags.number("workers", 1),
  delivery: deliveryOf(values.delivery),
  stretch: flags.number("stretch", 1),
  isIsolated: values.isolated,
};

const plans = planned();
if (plans.length === 0) flags.refuse("choose --fault, --pair, --pairs, --mixed, --all or --smoke");
const startedAt = Date.now();
const secondsSince = (): number => Math.round((Date.now() - startedAt) / 1_000);
const reports: Report[] = [];
/** Exists or is being created. An early exit disposes of it too. */
let staging: Promise<Stage> | undefined;

// PostgreSQL outlives the process that started it, so stop it.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void leaveStage().finally(() => process.exit(130));
  });
}

for (const [i, plan] of plans.entries()) {
  const progress = plans.length === 1 ? "" : ` ${i + 1}/${plans.length}`;
  const say = (line: string): void =>
    void process.stderr.write(`${secondsSince()} s`.padStart(7) + `${progress} ${line}\n`);
  const result = await playNext(plan, say);
  reports.push(result);
  process.stdout.write(`${summarize(result)}\n`);
  keep();
  if (!result.ok) process.exitCode = 1;
}
await leaveStage();
if (reports.length > 1) process.stdout.write(`${summarizeAll(reports, totalOf(reports, secondsSince()))}\n`);

function planned(): Plan[] {
  try {
    return choosePlans(choice);
  } catch (error) {
    if (error instanceof UnknownFaultError) return flags.refuse(error.message);
    throw error;
  }
}

function deliveryOf(text: string): "queue" | "pull" {
  return text === "queue" || text === "pull" ? text : flags.refuse(`--delivery is queue or pull, not ${text}`);
}

/** Plays on the stage of the last run if that was good, otherwise on a new one. */
async function playNext(plan: Plan, say: (line: string) => void): Promise<Report> {
  try {
    const stage = await (staging ??= startStage(plan));
    const result = await runPlan(plan, stage, say);
    if (!result.ok || stage.programs.some(({ program }) => !program.isRunning)) await leaveStage();
    return result;
  } catch (error) {
    await leaveStage();
    return emptyReport(plan, String(error));
  }
}

async function leaveStage(): Promise<void> {
  const left = staging;
  staging = undefined;
  // A stage that failed to start has already cleaned up.
  const stage = await left?.catch(() => undefined);
  await stage?.[Symbol.asyncDispose]();
}

/** Saves after each run, so that results are not lost. */
function keep(): void {
  if (values.json === undefined) return;
  writeFileSync(values.json, JSON.stringify({ total: totalOf(reports, secondsSince()), runs: reports }, null, 2));
}

// The available runs: each fault alone, the pairs, the mixed ones, the short one. With these sizes, everything together
// is more than 10,000 turns over five seeds, in half an hour.

import { faultNamed, faults, pairs } from "./faults/index.ts";
import type { Plan } from "./plan.ts";

export interface Choice {
  readonly faults: readonly string[];
  /** Names of two faults, `a+b` each. */
  readonly pairs: readonly string[];
  readonly isPairs: boolean;
  readonly isMixed: boolean;
  readonly isAll: boolean;
  readonly isSmoke: boolean;
  readonly seed: number;
  readonly turns: number | undefined;
  readonly perSecond: number | undefined;
  readonly workers: number | undefined;
  readonly delivery: "queue" | "pull";
  readonly stretch: number | undefined;
  readonly isIsolated: boolean;
}

const turns = { alone: 200, pair: 100, mixed: 2_000, mixedOfAll: 600, smoke: 80 };
const seedsOfAll = 5;
/** Twice the slots. */
const openMax = 18;
/** Faults that a short run is likely to show: each is over within seconds. */
const smokeFaults = ["worker-killed", "redis-flushed", "api-killed", "postgres-restarted", "jobs-forged", "cancels"];

export function choosePlans(choice: Choice): Plan[] {
  if (choice.isSmoke) return [smoke(choice)];
  const alone = choice.isAll ? faults.map(({ name }) => name) : choice.faults;
  const together = choice.isAll || choice.isPairs ? pairs : choice.pairs.map((one) => one.split("+"));
  const plans = [
    ...alone.map((name) => planAlone(choice, name)),
    ...together.map(([first = "", second = ""]) => planPair(choice, first, second)),
  ];
  if (!choice.isAll) return [...plans, ...(choice.isMixed ? [planMixed(choice, choice.seed, turns.mixed)] : [])];
  const seeds = Array.from({ length: seedsOfAll }, (_, i) => choice.seed + i);
  const spread = plans.map((plan, i) => ({ ...plan, seed: seeds[i % seeds.length] ?? plan.seed }));
  return [...spread, ...seeds.map((seed) => planMixed(choice, seed, turns.mixedOfAll))];
}

type Common = Omit<Plan, "name" | "mode" | "faults" | "load">;

function common(choice: Choice): Common {
  const { seed, workers = 3, delivery, stretch = 1, isIsolated } = choice;
  return { seed, tenants: 6, sessions: 8, workers, slots: 3, delivery, stretch, isIsolated };
}

function load(choice: Choice, count: number): Plan["load"] {
  return { turns: choice.turns ?? count, perSecond: choice.perSecond ?? 10, openMax, cancelled: 0.02 };
}

function planAlone(choice: Choice, named: string): Plan {
  const fault = faultNamed(named);
  const name = `${fault.number} ${fault.name}`;
  return { ...common(choice), name, load: load(choice, turns.alone), faults: [fault], mode: "alone" };
}

function planPair(choice: Choice, first: string, second: string): Plan {
  const both = [faultNamed(first), faultNamed(second)];
  const name = `${first} + ${second}`;
  return { ...common(choice), name, load: load(choice, turns.pair), faults: both, mode: "together" };
}

function planMixed(choice: Choice, seed: number, count: number): Plan {
  return { ...common(choice), seed, name: "mixed", load: load(choice, count), faults, mode: "mixed" };
}

/** Small enough for CI on busy machines: its time limits are wide, its promises are the same. */
function smoke(choice: Choice): Plan {
  const few = { tenants: 2, sessions: 6, workers: 2, stretch: choice.stretch ?? 4 };
  const short = { turns: choice.turns ?? turns.smoke, perSecond: choice.perSecond ?? 4, openMax, cancelled: 0.04 };
  const name = choice.delivery === "pull" ? "smoke by direct pull" : "smoke";
  return { ...common(choice), ...few, name, load: short, faults: smokeFaults.map(faultNamed), mode: "mixed" };
}

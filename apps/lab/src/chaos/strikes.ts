// Carries out the faults of a plan in one of three modes. alone: one fault after the other, until each kind of the
// fault has had its effect. together: two faults at the same time. mixed: random faults at random times.

import { setTimeout as sleep } from "node:timers/promises";
import type { Figures } from "./check/report.ts";
import type { Fault, Scene } from "./faults/fault.ts";
import { pick } from "./load/generator.ts";
import type { StrikePlan } from "./plan.ts";

const betweenMs = { least: 500, more: 1_500 };
/** The pause between the two faults of a pair, in milliseconds. The first fault still lasts when the second starts. */
const apartMs = 700;
/** The run fails if a strike has had no effect this many times. */
const triesMax = 3;

type Strike = (fault: Fault, round: number) => Promise<boolean>;

export async function strikeAll(
  plan: StrikePlan,
  scene: Omit<Scene, "seen">,
  figures: Figures,
  say: (line: string) => void,
): Promise<void> {
  const possible = plan.faults.filter((fault) => {
    const why = fault.unavailable?.(scene.stage);
    if (why !== undefined) figures.skipped.push(`${fault.name}: ${why}`);
    return why === undefined;
  });
  const strike: Strike = async (fault, round) => {
    say(`${plan.name}: ${fault.name} ${round + 1}`);
    const record = { name: fault.name, round, at: Date.now(), wasSeen: false };
    figures.strikes.push(record);
    const own: Scene = { ...scene, seen: () => void (record.wasSeen = true) };
    try {
      const heal = await fault.inject(own, round);
      await sleep(fault.lastsMs(own, round));
      await heal();
    } catch (error) {
      scene.accuse(`${fault.name} could not be carried out: ${String(error)}`);
    }
    return record.wasSeen;
  };
  const pause = (): Promise<void> => sleep(betweenMs.least + betweenMs.more * scene.random());
  if (plan.mode === "mixed") await strikeMixed(plan, scene, possible, strike, pause);
  else await strikeInRounds(plan, scene, possible, strike, pause);
}

async function strikeInRounds(
  plan: StrikePlan,
  scene: Omit<Scene, "seen">,
  faults: readonly Fault[],
  strike: Strike,
  pause: () => Promise<void>,
): Promise<void> {
  const together = plan.mode === "together";
  // Both faults of a pair run until the one with more kinds has used all of them, up to the limit for pairs.
  const roundsOf = (fault: Fault): number => (together ? Math.min(fault.rounds, togetherRounds) : fault.rounds);
  const seen = new Map<string, number>();
  const rounds = Math.max(0, ...faults.map(roundsOf));
  for (let round = 0; round < rounds; round++) {
    const strikes = faults.map(async (fault, i) => {
      await sleep(i * apartMs);
      if (round >= roundsOf(fault)) return;
      for (let tries = 1; tries <= (together ? 1 : triesMax); tries++) {
        if (!(await strike(fault, round))) continue;
        seen.set(fault.name, (seen.get(fault.name) ?? 0) + 1);
        return;
      }
      if (!together) scene.accuse(`${fault.name} ${round + 1} was injected ${triesMax} times and never had its effect`);
    });
    await Promise.all(strikes);
    await pause();
  }
  if (!together) return;
  for (const { name } of faults) if (!seen.has(name)) scene.accuse(`${name} was injected and never had its effect`);
}

const togetherRounds = 3;

/** Injects random faults until all messages are sent. Faults that use different resources can overlap. */
async function strikeMixed(
  plan: StrikePlan,
  scene: Omit<Scene, "seen">,
  possible: readonly Fault[],
  strike: Strike,
  pause: () => Promise<void>,
): Promise<void> {
  const held = new Set<string>();
  const strikes = new Set<Promise<void>>();
  const rounds = new Map<string, number>();
  let seen = 0;
  while (scene.sending.begun < plan.load.turns) {
    const free = possible.filter(({ holds }) => !holds.some((one) => held.has(one)));
    if (free.length > 0) {
      const fault = pick(free, scene.random);
      const round = rounds.get(fault.name) ?? Math.floor(scene.random() * fault.rounds);
      rounds.set(fault.name, round + 1);
      for (const one of fault.holds) held.add(one);
      const striking = strike(fault, round).then((wasSeen) => {
        seen += wasSeen ? 1 : 0;
        for (const one of fault.holds) held.delete(one);
        strikes.delete(striking);
      });
      strikes.add(striking);
    }
    await pause();
  }
  await Promise.all(strikes);
  if (seen === 0) scene.accuse("no fault that was injected had its effect");
}

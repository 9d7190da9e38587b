// Carries out the faults of a plan: alone until each of their kinds had its effect, two together, or any at any time.

import { setTimeout as sleep } from "node:timers/promises";
import type { Figures } from "./check/report.ts";
import type { Fault, Scene } from "./faults/fault.ts";
import { pick } from "./load/generator.ts";
import type { StrikePlan } from "./plan.ts";

const betweenMs = { least: 500, more: 1_500 };
/** The second fault of a pair strikes this long after the first, while that lasts. In milliseconds. */
const apartMs = 700;
/** A strike without an effect is repeated this often before the run fails. */
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
      if (!together) scene.accuse(`${fault.name} ${round + 1} struck ${triesMax} times and was never seen to`);
    });
    await Promise.all(strikes);
    await pause();
  }
  if (!together) return;
  for (const { name } of faults) if (!seen.has(name)) scene.accuse(`${name} was never seen to strike`);
}

const togetherRounds = 3;

/** Any fault at any time, several at once if they use different resources, until everything is sent. */
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
  if (seen === 0) scene.accuse("no fault was seen to strike");
}

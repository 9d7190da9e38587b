// Measures what agents of one organization cost another: 46 hostile agents, one after another, and busy processors in
// all slots but one. At the same time, a victim's turns use a little of everything that can be taken away, and its
// calls are timed. Expected: every turn of the victim completes; its slowest takes at most three times as long as the
// slowest on an idle machine; 99 % of calls take less than 250 ms.
//
//   npm run lab -- bench/neighbours [--smoke] [--only verb,...] [--seconds 5] [--slots 4] [--full]
//
// Each attack has a limit that a shared machine can spare. --full takes as much as the kernel allows and can stop the
// machine. Run it as root and as an ordinary user; for a worker without control groups, in a mount namespace: `unshare
// -m sh -c 'umount -a -t cgroup,cgroup2; …'`.

import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { deploy, filesOf, manifestFile, send, textOf } from "../conversation.ts";
import { readFlags } from "../flags.ts";
import { checkout } from "../program.ts";
import { startStandalone } from "../standalone-process.ts";
import { attacks, type Attack } from "./neighbours/attacks.ts";
import { summarizeSpread, measureMs, type Spread } from "./statistics.ts";
import { gate, report, type Gate } from "./verdict.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  full: { type: "boolean", default: false },
  only: { type: "string", default: "" },
  seconds: { type: "string", default: "5" },
  slots: { type: "string", default: "4" },
});
const { values } = flags;
const only = values.only === "" ? [] : values.only.split(",");
const unknown = only.find((verb) => verb !== "hogs" && attacks.every((one) => one.verb !== verb));
if (unknown !== undefined) flags.refuse(`--only: there is no attack ${unknown}`);
const slots = flags.whole("slots", 2);
const seconds = values.smoke ? 2 : flags.whole("seconds");
const isChosen = ({ verb, isShort = false }: Attack): boolean =>
  only.length > 0 ? only.includes(verb) : !values.smoke || isShort;
const chosen = attacks.filter(isChosen);
const hasHogs = only.length === 0 || only.includes("hogs");
const idleTurns = values.smoke ? 5 : 30;
const callEveryMs = 50;
const bombSeconds = 20;
const timesIdle = 3;
const callsP99Ms = 250;

interface Party {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly client: Client;
  readonly agentId: string;
}

interface Seen {
  readonly turn_ms: Spread;
  readonly call_ms: Spread;
  readonly failed: readonly string[];
}

async function party(apiUrl: string, apiKey: string, file: string): Promise<Party> {
  const client = createClient({ apiUrl, apiKey });
  const sources = filesOf(`${checkout}/apps/lab/src/bench/neighbours/agent`);
  const manifest = { sdk: "openai-agents", entrypoint: "agent.py:agent", retries: { max_attempts: 1 } };
  const files = { ...manifestFile(manifest), ...sources, "agent.py": sources[file]! };
  const { agentId } = await deploy({ apiUrl, apiKey, client }, files);
  return { apiUrl, apiKey, client, agentId };
}

/** Runs turns of the victim one after another, with concurrent calls, while `isRunning` returns true. */
async function watch(victim: Party, isRunning: (turns: number) => boolean, prompt: string): Promise<Seen> {
  const { client, agentId } = victim;
  const session = await client.createSession(agentId);
  const [turns, calls, failed]: [number[], number[], string[]] = [[], [], []];
  let isOver = false;
  const calling = (async () => {
    for (; !isOver; await sleep(callEveryMs)) {
      const call = measureMs(() => client.getSession(session.id));
      await call.then(
        (ms) => calls.push(ms),
        (error: unknown) => failed.push(`call: ${String(error)}`),
      );
    }
  })();
  try {
    while (isRunning(turns.length)) turns.push(await measureMs(() => oneTurn(victim, session.id, prompt, failed)));
  } finally {
    isOver = true;
    await calling;
  }
  return { turn_ms: summarizeSpread(turns), call_ms: summarizeSpread(calls), failed };
}

async function oneTurn(victim: Party, sessionId: string, prompt: string, failed: string[]): Promise<void> {
  const { status, output } = await send(victim, sessionId, prompt);
  if (status !== "completed") failed.push(`turn: ${JSON.stringify(output?.error)}`);
}

/** Sends a message of the hostile agent in its own session. Resolves with its end. */
async function attack({ verb, bound, full = bound, endsWith }: Attack, hostile: Party): Promise<MessageRecord> {
  const session = await hostile.client.createSession(hostile.agentId);
  // An attack that must be stopped runs until it is.
  const lastsSeconds = endsWith === "too_many_processes" ? Math.max(seconds, bombSeconds) : seconds;
  return await send(hostile, session.id, JSON.stringify([verb, values.full ? full : bound, lastsSeconds]));
}

interface Outcome extends Seen {
  readonly verb: string;
  readonly got: string;
  /** What is wrong, apart from how long the victim's turns took. */
  readonly wrong: readonly string[];
}

async function beside(one: Attack, hostile: Party, victim: Party): Promise<Outcome> {
  let end: MessageRecord | undefined;
  const attacking = attack(one, hostile).then((record) => (end = record));
  const seen = await watch(victim, () => end === undefined, "everything");
  const record = await attacking;
  const got = record.status === "completed" ? textOf(record) : (record.output?.error?.code ?? record.status);
  const wrong = [...seen.failed];
  if (one.endsWith !== undefined && got !== one.endsWith) wrong.push(`ended with ${got}, not ${one.endsWith}`);
  const count = record.status === "completed" ? (JSON.parse(got) as { count: number }).count : 0;
  if (one.atMost !== undefined && count > one.atMost) wrong.push(`got ${count}, at most ${one.atMost}`);
  return { verb: one.verb, got, wrong, ...seen };
}

async function amongHogs(hostile: Party, victim: Party): Promise<Outcome> {
  let running = slots - 1;
  const hogs = Array.from({ length: slots - 1 }, () =>
    attack({ verb: "busy", bound: 4 }, hostile).finally(() => running--),
  );
  const seen = await watch(victim, () => running === slots - 1, "nothing");
  const ends = await Promise.all(hogs);
  const got = ends.map(({ status }) => status).join(" ");
  return { verb: "hogs", got, wrong: [...seen.failed], ...seen };
}

function gatesOf(idle: Seen, outcomes: readonly Outcome[]): Gate[] {
  const slowest = idle.turn_ms.max;
  return outcomes.flatMap(({ verb, wrong, turn_ms, call_ms }) => [
    gate(`${verb}: what is not as it must be`, wrong.length, 0),
    gate(`${verb}: the victim's slowest turn / idle`, turn_ms.max / slowest, timesIdle),
    gate(`${verb}: p99 of calls, ms`, call_ms.p99, callsP99Ms),
  ]);
}

await using platform = await startStandalone({ DARI_WORKER_SLOTS: String(slots) });
const operator = createClient(platform);
const other = await operator.createOrganization({ name: "victim" });
const hostile = await party(platform.apiUrl, platform.apiKey, "agent.py");
const victim = await party(platform.apiUrl, other.api_key!, "victim.py");
// The first turns load the agent.
await watch(victim, (turns) => turns < 3, "everything");
const idle = await watch(victim, (turns) => turns < idleTurns, "everything");
const idleNothing = await watch(victim, (turns) => turns < idleTurns, "nothing");
const outcomes: Outcome[] = [];
for (const one of chosen) {
  outcomes.push(await beside(one, hostile, victim));
  const { verb, got, wrong, turn_ms, call_ms } = outcomes.at(-1)!;
  console.error(verb, got, `turn max ${turn_ms.max} p50 ${turn_ms.p50}, call p99 ${call_ms.p99}`, ...wrong);
}
const busy = hasHogs ? [await amongHogs(hostile, victim)] : [];
report({
  name: "neighbours",
  parameters: { slots, seconds, full: values.full, user: process.geteuid?.() },
  result: { idle, idle_nothing: idleNothing, outcomes: [...outcomes, ...busy] },
  gates: [...gatesOf(idle, outcomes), ...gatesOf(idleNothing, busy)],
  smoke: values.smoke,
});

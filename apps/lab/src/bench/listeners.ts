// Measures many listeners at one API process while turns run, over connections that break repeatedly: whether every
// listener gets every event of its session once and in order, what a listener costs in memory, and the delay of events.
// The API, the reconciler and the worker are the real programs; the worker's agents only emit. The verdict compares
// what listeners have noted with the events in the database.
//
//   npm run lab -- bench/listeners [--listeners 2000] [--turns 100] [--seconds 20] [--events 20] [--smoke]
//                                  [--tokens] [--profile DIRECTORY]
//
// --turns: sessions with one turn each, all at the same time; --seconds: how long a turn takes; --events: what each
// agent emits, with as many pieces of text and the platform's own events; --tokens: each listener has a session token,
// as a browser has; --profile: stores a profile of each program there, and makes the times worthless. Expected: nothing
// missed; about 50 KiB each; a few ms for the commit and the notification, plus what 20 writes per event take on a
// processor shared with the listeners.

import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@dari/client";
import { startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { readFlags } from "../flags.ts";
import { judgeListener, listen, type Listener } from "../ship/listeners.ts";
import type { Contestant } from "./contestant.ts";
import { cpuMsOf } from "./cpu-time.ts";
import { startPlatform } from "./platform.ts";
import { residentKiBOf } from "./resident.ts";
import { summarizeSpread } from "./statistics.ts";
import { gate, report } from "./verdict.ts";

const flags = readFlags({
  listeners: { type: "string", default: "2000" },
  turns: { type: "string", default: "100" },
  seconds: { type: "string", default: "20" },
  events: { type: "string", default: "20" },
  tokens: { type: "boolean", default: false },
  smoke: { type: "boolean", default: false },
  profile: { type: "string" },
});
const { smoke } = flags.values;
const parameters = {
  listeners: smoke ? 100 : flags.whole("listeners"),
  turns: smoke ? 10 : flags.whole("turns"),
  turn_seconds: smoke ? 4 : flags.whole("seconds"),
  events_of_each_turn: flags.whole("events"),
  session_tokens: flags.values.tokens,
  /** Each listener connects through one of these. Breaking one breaks all its connections. */
  proxies: 10,
};
/** Number of listeners that connect at the same time. */
const connecting = 100;
/** An event that was written this close to a broken connection does not count as late. */
const aroundCutMs = { before: 250, after: 1_000 };
const drainMs = 300_000;

interface Watcher {
  readonly listener: Listener;
  readonly proxy: number;
}

const own = { DARI_WORKER_SLOTS: String(Math.ceil(parameters.turns * 1.3)) };
const profileDir = flags.values.profile === undefined ? undefined : path.resolve(flags.values.profile);
await using platform = await startPlatform({ env: own, profileDir });
await using stack = new AsyncDisposableStack();
const done = new AbortController();
const proxies: FaultProxy[] = [];
for (let n = 0; n < parameters.proxies; n++) {
  proxies.push(stack.use(await startFaultProxy({ port: Number(new URL(platform.apiUrl).port) })));
}
const client = createClient(platform);
const sessionIds: string[] = [];
for (let n = 0; n < parameters.turns; n++) sessionIds.push((await client.createSession(platform.agentId)).id);

const memory = { without: residentKiB(platform), idle: 0, peak: 0 };
const watchers = await openWatchers();
await sleep(2_000);
memory.idle = residentKiB(platform);
process.stderr.write(`${watchers.length} listen\n`);

const apiCpuMs = cpuMsOf(apiPid(platform));
const startedAt = performance.now();
const lag = monitorEventLoopDelay({ resolution: 10 });
lag.enable();
const content = `${parameters.turn_seconds * 1_000} ${parameters.events_of_each_turn}`;
const parts = [{ type: "text", text: content } as const];
await Promise.all(sessionIds.map((id) => client.sendMessageAsync(id, { parts })));
const cuts = await breakConnections();
const lastNumbers = await ledgersEnd(platform, sessionIds);
const isOver = ({ listener: { numbers, problem, sessionId } }: Watcher): boolean =>
  problem !== undefined || (numbers.at(-1) ?? 0) >= (lastNumbers.get(sessionId) ?? 0);
const waiting = waitUntil(() => watchers.every(isOver), { what: "the last event everywhere", timeoutMs: drainMs });
// Missing events are judged below.
await waiting.catch(() => undefined);
lag.disable();
memory.peak = Math.max(memory.peak, residentKiB(platform));
const seconds = (performance.now() - startedAt) / 1_000;
const apiCores = (cpuMsOf(apiPid(platform)) - apiCpuMs) / 1_000 / seconds;
const problems = watchers.flatMap(({ listener }) => judgeListener(listener, lastNumbers.get(listener.sessionId) ?? 0));
done.abort();
await Promise.all(watchers.map(({ listener }) => listener.ended));
for (const problem of problems.slice(0, 20)) process.stderr.write(`${problem}\n`);

const delays = watchers.flatMap(delaysOf);
const undisturbed = summarizeSpread(delays.filter(({ isNearCut }) => !isNearCut).map(({ ms }) => ms));
const perListener = (memory.idle - memory.without) / watchers.length;
const result = {
  events_heard: delays.length,
  connections_broken: cuts.reduce((sum, { connections }) => sum + connections, 0),
  problems: problems.length,
  delay_ms: undisturbed,
  delay_with_reconnecting_ms: summarizeSpread(delays.map(({ ms }) => ms)),
  /** The lag of the process with all listeners, which is part of each delay. */
  listeners_own_lag_ms: { p50: lag.percentile(50) / 1e6, p99: lag.percentile(99) / 1e6 },
  api_resident_mib: { without: memory.without / 1_024, idle: memory.idle / 1_024, peak: memory.peak / 1_024 },
  kib_per_listener: perListener,
  api_cores: apiCores,
  seconds,
};
const gates = [
  gate("listeners that missed, doubled or misplaced an event", problems.length, 0),
  gate("listeners whose connection was not broken", Math.max(0, watchers.length - result.connections_broken), 0),
  gate("p99 delay of an event, ms", undisturbed.p99, 250),
  gate("KiB of the API per idle listener", perListener, 100),
];
report({ name: "listeners", parameters, result: rounded(result), gates, smoke });

function clientAt(port: number, apiKey: string): Client {
  return createClient({ apiUrl: `http://127.0.0.1:${port}`, apiKey });
}

async function tokenClient(proxy: number, sessionId: string): Promise<Client> {
  const { token } = await client.createSessionToken(sessionId, { scopes: ["read"] });
  return clientAt(proxies[proxy]!.port, token);
}

/** The listeners of one session use different proxies. */
async function openWatchers(): Promise<Watcher[]> {
  const clients = proxies.map(({ port }) => clientAt(port, platform.apiKey));
  const opened: Watcher[] = [];
  for (let n = 0; n < parameters.listeners; n++) {
    const proxy = Math.floor(n / sessionIds.length) % proxies.length;
    const sessionId = sessionIds[n % sessionIds.length]!;
    const own = parameters.session_tokens ? await tokenClient(proxy, sessionId) : clients[proxy]!;
    const listener = listen(own, sessionId, done.signal);
    opened.push({ listener, proxy });
    if (opened.length % connecting === 0 || opened.length === parameters.listeners) await allHear(opened);
  }
  return opened;
}

/** Each session starts with one event: its creation. */
async function allHear(opened: readonly Watcher[]): Promise<void> {
  const hears = ({ listener: { numbers, problem } }: Watcher): boolean => {
    if (problem !== undefined) throw new Error(`a listener could not begin: ${problem}`);
    return numbers.length > 0;
  };
  await waitUntil(() => opened.every(hears), { what: "listeners to hear of their sessions", timeoutMs: drainMs });
}

interface Cut {
  readonly proxy: number;
  readonly at: number;
  readonly connections: number;
}

/** Breaks all connections once while the turns run, one proxy at a time. */
async function breakConnections(): Promise<Cut[]> {
  const made: Cut[] = [];
  const everyMs = (parameters.turn_seconds * 1_000) / (proxies.length + 1);
  for (const [n, proxy] of proxies.entries()) {
    await sleep(everyMs);
    made.push({ proxy: n, at: Date.now(), connections: proxy.connections });
    proxy.cut();
    memory.peak = Math.max(memory.peak, residentKiB(platform));
  }
  return made;
}

/** Returns the number of each session's last event, once every turn has ended. */
async function ledgersEnd(on: Contestant, sessions: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { pool } = on.servers.db;
  const open = "select count(*)::int as n from dari.messages where completed_at is null and session_id = any($1)";
  const hasEnded = async (): Promise<boolean> => (await pool.query<{ n: number }>(open, [sessions])).rows[0]?.n === 0;
  await waitUntil(hasEnded, { what: "the turns to end", timeoutMs: drainMs });
  const { rows } = await pool.query<{ id: string; last: number }>(
    `select session_id as id, max(sequence_number)::int as last from dari.events
      where session_id = any($1) group by session_id`,
    [sessions],
  );
  return new Map(rows.map(({ id, last }) => [id, last]));
}

/** Only events from after the messages were sent: a listener begins with the existing ones. */
function delaysOf({ listener: { times }, proxy }: Watcher): { ms: number; isNearCut: boolean }[] {
  const [first] = times;
  const own = cuts.filter((one) => one.proxy === proxy).map(({ at }) => at);
  return times
    .filter((one) => one !== first)
    .map(({ writtenAt, heardAt }) => {
      const { before, after } = aroundCutMs;
      const isNearCut = own.some((at) => writtenAt > at - before && writtenAt < at + after);
      return { ms: heardAt - writtenAt, isNearCut };
    });
}

function apiPid(of: Contestant): number {
  return of.pids["api"]!;
}

function residentKiB(of: Contestant): number {
  return residentKiBOf(apiPid(of));
}

function rounded<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_, one: unknown) => (typeof one === "number" ? Math.round(one * 10) / 10 : one)),
  );
}

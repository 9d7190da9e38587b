// Compares the doors for other clients with our own stream: how long after a request its first text arrives. Sends one
// request at a time, each door in turn, to a session that has had as many messages. Before that, many streams of the AI
// SDK follow running turns, each with a session token as in a browser: what each costs the API in memory, and how late
// events arrive. The API, the reconciler and the worker are the real programs; the worker's agents only send events and
// text.
//
//   npm run lab -- bench/doors [--rounds 200] [--streams 500] [--turns 50] [--seconds 20] [--events 20] [--smoke]
//
// --rounds: requests through each door; --streams: 0 leaves them out; --turns: sessions with one turn each that the
// streams follow; --seconds: how long such a turn takes; --events: what each agent sends, with as many pieces of text.

import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { readFlags } from "../flags.ts";
import { createSessions } from "./contestant.ts";
import { judgeUiStream, openUiStreams, readStream, type StreamPlace } from "./doors/streams.ts";
import { startPlatform } from "./platform.ts";
import { residentKiBOf } from "./resident.ts";
import { summarizeSpread } from "./statistics.ts";
import { gate, report } from "./verdict.ts";

const flags = readFlags({
  rounds: { type: "string", default: "200" },
  streams: { type: "string", default: "500" },
  turns: { type: "string", default: "50" },
  seconds: { type: "string", default: "20" },
  events: { type: "string", default: "20" },
  smoke: { type: "boolean", default: false },
});
const { smoke } = flags.values;
/** A conversation of Chat Completions has at most 2,000 messages, two for each round. */
const roundsMax = 900;
if (flags.whole("rounds") > roundsMax) flags.refuse(`--rounds is at most ${roundsMax}`);
const parameters = {
  rounds: smoke ? 5 : flags.whole("rounds"),
  streams: smoke ? 20 : flags.whole("streams", 0),
  turns: smoke ? 4 : flags.whole("turns"),
  turn_seconds: smoke ? 3 : flags.whole("seconds"),
  events_of_each_turn: flags.whole("events"),
};
/** Rounds before the first one that is measured. */
const warmUps = smoke ? 1 : 10;
/**
 * The agent sends one event and one piece of text after 20 ms, and ends after 400 ms. So a door that shows the text
 * only at the end is late. The answer does not have the text.
 */
const prompt = "400 1 0 20";
const firstText = /step 1/;
const drainMs = 300_000;

interface Door {
  /** Returns the path and the body of the next request. */
  next(): readonly [path: string, body: object];
  /** What a stream of a completed turn has at its end. */
  readonly end: RegExp;
}

await using platform = await startPlatform({
  sessions: 4,
  env: { DARI_WORKER_SLOTS: String(Math.ceil(parameters.turns * 1.3)) },
});
const { agentId } = platform;
const [own = "", conversation = "", ui = "", agUi = ""] = platform.sessionIds;

/** A client of Chat Completions sends the whole conversation each time. */
function chatDoor(): Door {
  const messages: object[] = [];
  const user = randomUUID();
  return {
    next() {
      if (messages.length > 0) messages.push({ role: "assistant", content: "ok" });
      messages.push({ role: "user", content: prompt });
      return ["/openai/v1/chat/completions", { model: agentId, user, messages, stream: true }];
    },
    end: /data: \[DONE\]/,
  };
}

const userMessage = (fields: object) => ({ id: randomUUID(), role: "user", ...fields });
const doors: Readonly<Record<string, Door>> = {
  own: {
    next: () => [`/v1/sessions/${own}/messages/stream`, { parts: [{ type: "text", text: prompt }] }],
    end: /^event: message\.completed$/m,
  },
  responses: {
    next: () => {
      const body = { conversation: conversation.replace("sess", "conv"), input: prompt, stream: true };
      return ["/openai/v1/responses", body];
    },
    end: /^event: response\.completed$/m,
  },
  chat_completions: chatDoor(),
  ai_sdk: {
    next: () => {
      const messages = [userMessage({ parts: [{ type: "text", text: prompt }] })];
      return [`/v1/sessions/${ui}/ai-sdk`, { trigger: "submit-message", messages }];
    },
    end: /data: \[DONE\]/,
  },
  ag_ui: {
    next: () => {
      const run = { threadId: agUi, runId: randomUUID(), state: {}, tools: [], context: [], forwardedProps: {} };
      return [`/v1/sessions/${agUi}/ag-ui`, { ...run, messages: [userMessage({ content: prompt })] }];
    },
    end: /^data: \{"type":"RUN_FINISHED"/m,
  },
};

/** Returns the milliseconds from the request to its first text; undefined if the preview was lost. */
async function measureFirstText({ next, end }: Door): Promise<number | undefined> {
  const [path, body] = next();
  let shown = "";
  let firstMs: number | undefined;
  const startedAt = performance.now();
  await readStream(platform, path, body, (chunk) => {
    shown += chunk;
    if (firstMs === undefined && firstText.test(shown)) firstMs = performance.now() - startedAt;
  });
  if (!end.test(shown)) throw new Error(`POST ${path} answered ${shown.slice(-500)}`);
  return firstMs;
}

const names = Object.keys(doors);
const streamed = parameters.streams === 0 ? undefined : await measureStreams();
const firstTexts = new Map<string, number[]>(names.map((name) => [name, []]));
let lost = 0;
const sessionsBefore = await countSessions();
for (let round = -warmUps; round < parameters.rounds; round++) {
  // Another door begins each round.
  const start = (round + warmUps) % names.length;
  for (const name of [...names.slice(start), ...names.slice(0, start)]) {
    const ms = await measureFirstText(doors[name]!);
    if (ms === undefined) lost += 1;
    else if (round >= 0) firstTexts.get(name)!.push(ms);
  }
}
/** Chat Completions has one. Every other door has its own from the start. */
const sessionsMade = (await countSessions()) - sessionsBefore;
const spreads = new Map([...firstTexts].map(([name, samples]) => [name, summarizeSpread(samples)]));
const p50Of = (name: string): number => spreads.get(name)!.p50;
process.stderr.write(`first text: ${names.map((name) => `${name} ${p50Of(name)} ms`).join(", ")}\n`);

async function countSessions(): Promise<number> {
  const { rows } = await platform.servers.db.pool.query<{ n: number }>("select count(*)::int as n from dari.sessions");
  return rows[0]?.n ?? 0;
}

/** On a platform that has answered few calls: memory that it has and does not use would hide what streams need. */
async function measureStreams() {
  const client = createClient(platform);
  const sessionIds = await createSessions(platform.servers, platform, parameters.turns);
  const places: StreamPlace[] = [];
  for (let n = 0; n < parameters.streams; n++) {
    const sessionId = sessionIds[n % sessionIds.length]!;
    const { token } = await client.createSessionToken(sessionId, { scopes: ["read"] });
    places.push({ sessionId, apiUrl: platform.apiUrl, apiKey: token });
  }
  const parts = [
    { type: "text", text: `${parameters.turn_seconds * 1_000} ${parameters.events_of_each_turn}` } as const,
  ];
  const before = residentKiBOf(platform.pids["api"]!);
  await Promise.all(sessionIds.map((id) => client.sendMessageAsync(id, { parts })));
  await sleep(500);
  const running = residentKiBOf(platform.pids["api"]!);
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const streams = await openUiStreams(places);
  const open = residentKiBOf(platform.pids["api"]!);
  const over = new AbortController();
  const overdue = sleep(drainMs, undefined, { signal: over.signal }).then(() => {
    throw new Error("the streams did not end");
  });
  await Promise.race([Promise.all(streams.map(({ ended }) => ended)), overdue]);
  over.abort();
  lag.disable();
  const problems = streams.flatMap((stream) => judgeUiStream(stream, parameters.events_of_each_turn));
  for (const problem of problems.slice(0, 20)) process.stderr.write(`${problem}\n`);
  const delays = streams.flatMap(({ delaysMs }) => delaysMs);
  return {
    problems: problems.length,
    delay_ms: summarizeSpread(delays),
    /** Those that were sent before their stream was open. */
    events_without_delay: streams.length * parameters.events_of_each_turn - delays.length,
    /** The lag of this process, which is part of each delay. */
    own_lag_ms: { p50: lag.percentile(50) / 1e6, p99: lag.percentile(99) / 1e6 },
    api_resident_kib: { before, running, open, at_the_end: residentKiBOf(platform.pids["api"]!) },
    kib_per_stream: Math.round((open - running) / streams.length),
  };
}

const late = names
  .filter((name) => name !== "own")
  .map((name) => gate(`ms later than our own stream, p50: ${name}`, p50Of(name) - p50Of("own"), 3));
const gates = [
  ...late,
  gate("first texts whose preview was lost", lost, Math.ceil((names.length * parameters.rounds) / 100)),
  gate("sessions that Chat Completions needed", sessionsMade, 1),
  ...(streamed === undefined ? [] : streamGates(streamed)),
];
const result = { first_text_ms: Object.fromEntries(spreads), lost_previews: lost, streams: streamed };
report({ name: "doors", parameters, result, gates, smoke });

function streamGates(measured: Awaited<ReturnType<typeof measureStreams>>) {
  const events = parameters.streams * parameters.events_of_each_turn;
  return [
    gate("streams that missed, doubled or misplaced an event", measured.problems, 0),
    gate("p99 delay of an event, ms", measured.delay_ms.p99, 250),
    gate("events without a delay", measured.events_without_delay, events / 2),
    gate("KiB of the API per stream", measured.kib_per_stream, 100),
    // Otherwise the streams have used memory that the API had before, and the figure says nothing.
    gate("streams without a figure of their memory", measured.kib_per_stream > 0 ? 0 : parameters.streams, 0),
  ];
}

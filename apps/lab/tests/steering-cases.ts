// Steers turns of an agent at each place where a message can arrive. Each message must be in the conversation once, at
// the place that its record names.

import { expect } from "@jest/globals";
import type { EventRecord, MessageRecord } from "@dari/contract";
import { waitUntil, type ModelReply, type ModelRequest, type ModelServer } from "@dari/testkit";
import { ended, post, textOf, textPart } from "../src/conversation.ts";
import type { Fleet } from "../src/fleet.ts";
import { lockSession } from "../src/lock-session.ts";
import type { SteeredAgent } from "./steered-agents.ts";

export interface Steered {
  readonly fleet: Fleet;
  readonly agent: SteeredAgent;
  readonly session: string;
  readonly server: ModelServer;
}

interface SteeredTurn {
  /** The message whose turn was steered, and the message that steered it, at their ends. */
  readonly turn: MessageRecord;
  readonly steering: MessageRecord;
  /** The requests of the conversation, oldest first. */
  readonly requests: readonly ModelRequest[];
  /** The types of the turn's events before and after the place that the record names. */
  readonly around: readonly [before: string | undefined, after: string | undefined];
  /** The attempts that took the message, in order. */
  readonly takers: readonly (string | undefined)[];
}

type Script = (count: number, request: ModelRequest) => Promise<ModelReply>;
type Place = (at: Steered, text: string, options?: PlayOptions) => Promise<SteeredTurn>;
interface PlayOptions {
  /** Kills the worker when the model first gets a request with this text. The next attempt's is answered. */
  readonly killAt?: string;
}

const timesIn = (text: string, { text: body }: ModelRequest): number => body.split(text).length - 1;

/** Before the first request, between two tools, and during the last answer. */
export async function expectPlaces(at: Steered): Promise<void> {
  const { continues, next } = at.agent;
  const early = await steerBefore(at, "steer-early");
  expect(early.steering).toMatchObject({ status: "completed", delivered_in: early.turn.id });
  expect(early.requests.map((request) => timesIn("steer-early", request))).toEqual([1]);

  const between = await steerBetween(at, "steer-between");
  expect(between.steering).toMatchObject({ status: "completed", delivered_in: between.turn.id });
  expect(between.requests.map((request) => timesIn("steer-between", request))).toEqual([0, 1]);
  expect(between.around).toEqual(["tool.call_completed", next]);

  const last = await steerLast(at, "steer-last");
  expect(last.requests.map((request) => timesIn("steer-last", request))).toEqual([0, 0, 1]);
  expect(textOf(continues ? last.turn : last.steering)).toBe("Paris");
  if (continues) expect(last.steering).toMatchObject({ status: "completed", delivered_in: last.turn.id });
  else expect([textOf(last.turn), last.steering.delivered_in]).toEqual(["Rome", undefined]);
  await expectAllOnce(at, ["steer-early", "steer-between", "steer-last"]);
}

/** While the end of the turn and the message wait for the same row, in both orders. */
export async function expectEnds(at: Steered): Promise<void> {
  const texts = ["steer-before-end", "steer-after-end"];
  for (const text of texts) {
    const { turn, steering, requests } = await steerAtEnd(at, text, { isFirst: text === texts[0] });
    expect(requests.map((request) => timesIn(text, request))).toEqual([0, 1]);
    const isOwnTurn = steering.delivered_in === undefined;
    expect(textOf(isOwnTurn ? steering : turn)).toBe("Paris");
    if (isOwnTurn) expect(textOf(turn)).toBe("Rome");
    else expect(steering).toMatchObject({ status: "completed", delivered_in: turn.id });
  }
  await expectAllOnce(at, texts);
}

/** The worker is killed each time that the agent has got a message. The next attempt gets it again. */
export async function expectKills(at: Steered): Promise<void> {
  const places: [text: string, place: Place][] = [
    ["kill-early", steerBefore],
    ["kill-between", steerBetween],
    ...(at.agent.continues ? ([["kill-last", steerLast]] as [string, Place][]) : []),
  ];
  for (const [text, place] of places) {
    const { turn, steering, requests, takers } = await place(at, text, { killAt: text });
    expect(textOf(turn)).toBe("Again");
    expect(steering).toMatchObject({ status: "completed", delivered_in: turn.id });
    // A busy machine can lose another lease.
    const times = requests.map((request) => timesIn(text, request)).filter((found) => found !== 0);
    expect([times.length > 1, Math.max(...times)]).toEqual([true, 1]);
    expect([takers.length > 1, new Set(takers).size]).toEqual([true, takers.length]);
  }
  await expectAllOnce(
    at,
    places.map(([text]) => text),
  );
}

/** One message before the turn asks a person and one during that request are part of it. One sent later is not. */
export async function expectApproval(at: Steered, pay: NonNullable<SteeredAgent["pay"]>): Promise<void> {
  const { client } = at.fleet;
  const asking = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const requests = play(at, async (_count, { text }) => {
    if (text.includes("steer-own")) return { text: "Paris" };
    if (text.includes("paid")) return { text: "Rome" };
    if (!text.includes("steer-asked")) {
      asked.resolve();
      return { toolCalls: [at.agent.watch, at.agent.hold] };
    }
    asking.resolve();
    await sent.promise;
    return { toolCalls: [pay.call] };
  });
  const { id } = await post(at.fleet, at.session, "Pay");
  await asked.promise;
  const before = await steer(at, "steer-asked");
  await asking.promise;
  const during = await steer(at, "steer-waiting");
  sent.resolve();
  const input = await waitUntil(async () => (await client.getMessage(id)).inputs?.[0], {
    what: "the approval",
    timeoutMs: 60_000,
  });
  const own = await steer(at, "steer-own");
  expect(await client.getMessage(before.id)).toMatchObject({ status: "completed", delivered_in: id });
  expect(await client.getMessage(during.id)).toMatchObject({ status: "queued" });
  await client.answerInput(id, { key: input.key, value: pay.answer });

  expect(textOf(await ended(at.fleet, own.id, 120_000))).toBe("Paris");
  expect(textOf(await client.getMessage(id))).toBe("Rome");
  for (const one of [before, during]) {
    expect(await client.getMessage(one.id)).toMatchObject({ status: "completed", delivered_in: id });
  }
  expect((await client.getMessage(own.id)).delivered_in).toBeUndefined();
  const texts = ["steer-asked", "steer-waiting", "steer-own"];
  const timesInEach = requests().map((request) => texts.map((text) => timesIn(text, request)));
  expect(timesInEach.slice(-2)).toEqual([
    [1, 1, 0],
    [1, 1, 1],
  ]);
  await expectAllOnce(at, texts);
}

/** A later turn has all of the session's texts, each once. */
async function expectAllOnce(at: Steered, texts: readonly string[]): Promise<void> {
  const requests = play(at, async () => ({ text: "Rome" }));
  await ended(at.fleet, (await post(at.fleet, at.session, "And?")).id, 120_000);
  const [request] = requests();
  expect(texts.map((text) => [text, timesIn(text, request!)])).toEqual(texts.map((text) => [text, 1]));
}

const steer = ({ fleet, session }: Steered, text: string): Promise<MessageRecord> =>
  fleet.client.sendMessageAsync(session, { parts: [textPart(text)], on_busy: "steer" });

/** The message waits when its turn starts, because an earlier turn runs until both are sent. */
async function steerBefore(at: Steered, text: string, options?: PlayOptions): Promise<SteeredTurn> {
  const asked = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const script: Script = async (count) => {
    if (count > 1) return { text: "Rome" };
    asked.resolve();
    await sent.promise;
    return { text: "Go on" };
  };
  const requests = play(at, script, options);
  const earlier = await post(at.fleet, at.session, "Wait");
  await asked.promise;
  const turn = await post(at.fleet, at.session, "Where to?");
  const steering = await steer(at, text);
  sent.resolve();
  await ended(at.fleet, earlier.id);
  return { ...(await endOf(at, turn, steering)), requests: requests().slice(1) };
}

/** One of two tools returns only when the message waits. */
async function steerBetween(at: Steered, text: string, options?: PlayOptions): Promise<SteeredTurn> {
  const asked = Promise.withResolvers<void>();
  const script: Script = async (count) => {
    asked.resolve();
    return count === 1 ? { toolCalls: [at.agent.watch, at.agent.hold] } : { text: "Rome" };
  };
  const requests = play(at, script, options);
  const turn = await post(at.fleet, at.session, "Where to?");
  await asked.promise;
  return { ...(await endOf(at, turn, await steer(at, text))), requests: requests() };
}

/** The last answer ends only when the agent's process knows that the message waits. */
async function steerLast(at: Steered, text: string, options?: PlayOptions): Promise<SteeredTurn> {
  const answering = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  async function* slowly(): AsyncGenerator<string, void> {
    yield "Ro";
    answering.resolve();
    await told.promise;
    yield "me";
  }
  const script: Script = async (count) => {
    if (count === 1) return { toolCalls: [at.agent.watch] };
    return { text: count === 2 ? slowly() : "Paris" };
  };
  const requests = play(at, script, options);
  const turn = await post(at.fleet, at.session, "Where to?");
  await answering.promise;
  const steering = await steer(at, text);
  const isTold = ({ message_id, type, data }: EventRecord): boolean =>
    message_id === turn.id && type === "agent.event" && data.name === "waits";
  const find = async (): Promise<boolean> => (await eventsOf(at)).some(isTold);
  await waitUntil(find, { what: "the agent to know of the message", timeoutMs: 60_000 });
  told.resolve();
  return { ...(await endOf(at, turn, steering)), requests: requests() };
}

/** The turn ends while another transaction has its session's row. `isFirst`: the message waits for that row first. */
async function steerAtEnd(at: Steered, text: string, { isFirst }: { isFirst: boolean }): Promise<SteeredTurn> {
  const asked = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const script: Script = async (count) => {
    if (count > 1) return { text: "Paris" };
    asked.resolve();
    await locked.promise;
    return { text: "Rome" };
  };
  const requests = play(at, script);
  const turn = await post(at.fleet, at.session, "Where to?");
  await asked.promise;
  const sending = await lockDuring(at, isFirst, () => steer(at, text), locked.resolve);
  return { ...(await endOf(at, turn, await sending.reply)), requests: requests() };
}

/** Sends and ends in this order while the session's row is locked. Resolves when both have waited for it. */
async function lockDuring(
  { fleet, session }: Steered,
  isFirst: boolean,
  send: () => Promise<MessageRecord>,
  endTurn: () => void,
): Promise<{ readonly reply: Promise<MessageRecord> }> {
  await using row = await lockSession(fleet.db, session);
  const end = async (): Promise<void> => {
    endTurn();
    await row.waitedForBy(["finish_turn", "append_attempt_"]);
  };
  if (!isFirst) await end();
  const reply = send();
  await row.waitedForBy(["accept_message"]);
  if (isFirst) await end();
  return { reply };
}

/** Calls `script` with the number of each request of the conversation. Returns what returns these requests. */
function play(at: Steered, script: Script, { killAt }: PlayOptions = {}): () => readonly ModelRequest[] {
  const { server, agent } = at;
  const before = server.requests.length;
  let count = 0;
  let isKilled = false;
  const answer: Script = async (number, request) => {
    if (killAt === undefined || !request.text.includes(killAt)) return await script(number, request);
    if (isKilled) return { text: "Again" };
    isKilled = true;
    await killWorker(at.fleet);
    // The agent is dead. An answer would be an error of the connection.
    return await new Promise<never>(() => {});
  };
  server.play((request) => (agent.isConversation(request) ? answer((count += 1), request) : { text: "A title" }));
  return () => server.requests.slice(before).filter((request) => agent.isConversation(request));
}

async function killWorker(fleet: Fleet): Promise<void> {
  const running = fleet.workers.filter(({ isRunning }) => isRunning);
  await Promise.all(running.map((worker) => worker.kill()));
  await fleet.startWorker();
}

async function endOf(at: Steered, { id }: MessageRecord, { id: steeringId }: MessageRecord) {
  // After a kill, a new worker unpacks the image and loads the SDK: up to 115 s for Claude's on a busy machine.
  const turn = await ended(at.fleet, id, 300_000);
  const steering = await ended(at.fleet, steeringId, 120_000);
  const events = (await eventsOf(at)).filter(({ message_id }) => message_id === id || message_id === steeringId);
  const takes = events.filter(({ type }) => type === "message.steered");
  // The record names the place in the attempt that counts, which is the last one.
  expect([undefined, takes.at(-1)?.sequence_number]).toContain(steering.delivered_after);
  const place = events.findIndex(({ sequence_number }) => sequence_number === steering.delivered_after);
  const takers = takes.map(({ attempt_id }) => attempt_id);
  return { turn, steering, takers, around: [events[place - 1]?.type, events[place + 1]?.type] as const };
}

async function eventsOf({ fleet, session }: Steered): Promise<readonly EventRecord[]> {
  return (await fleet.client.listEvents(session, { limit: 500 })).data;
}

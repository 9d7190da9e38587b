// Steers turns of an SDK's agent at each place where a message can arrive: before the first request to the model,
// between the results of two tools, and during the last answer. Each message must be in the conversation once, at the
// place that its record names.

import { expect } from "@jest/globals";
import type { EventRecord, MessageRecord } from "@dari/contract";
import { waitUntil, type ModelReply, type ModelRequest, type ModelServer, type ToolCall } from "@dari/testkit";
import { ended, post, textOf, textPart, type Platform } from "../src/conversation.ts";

/** Source text of two tools' functions. `hold` returns once a message waits, `watch` emits an event then. */
export const steeringTools = `
const context = () => globalThis[Symbol.for("dari.agent.context")];
async function hold() {
  const { inbox } = context();
  while (!inbox.isWaiting) {
    await new Promise((resolve) => {
      const stop = inbox.onWaiting(() => (stop(), resolve()));
    });
  }
  return "held";
}
async function watch() {
  const { inbox, emit } = context();
  inbox.onWaiting(() => void emit("waits", null));
  return "watching";
}
`;

/** The same in Python, for a module that imports them. */
export const pythonSteeringTools = `
import asyncio
from dari_agent import get_context

async def hold() -> str:
    inbox, loop, changed = get_context().inbox, asyncio.get_running_loop(), asyncio.Event()
    stop = inbox.on_waiting(lambda: loop.call_soon_threadsafe(changed.set))
    if not inbox.is_waiting:
        await changed.wait()
    stop()
    return "held"

async def watch() -> str:
    context = get_context()
    context.inbox.on_waiting(lambda: context.emit("waits"))
    return "watching"
`;

export interface SteeredAgent {
  readonly platform: Platform;
  readonly session: string;
  readonly server: ModelServer;
  /** The calls of the tools, by the names that the model knows. */
  readonly hold: ToolCall;
  readonly watch: ToolCall;
  /** Whether a request is one of the conversation, and not one that the SDK makes beside it. */
  isConversation(request: ModelRequest): boolean;
  /** Whether a message that comes during the last answer gets another answer in the same turn. */
  readonly continues: boolean;
}

interface SteeredTurn {
  /** The message whose turn was steered, and the message that steered it, at their ends. */
  readonly turn: MessageRecord;
  readonly steering: MessageRecord;
  /** The requests of the conversation, oldest first. */
  readonly requests: readonly ModelRequest[];
  /** The types of the turn's events before and after the place that the record names. */
  readonly around: readonly [before: string | undefined, after: string | undefined];
}

const timesIn = (text: string, { text: body }: ModelRequest): number => body.split(text).length - 1;

export async function expectSteering(agent: SteeredAgent): Promise<void> {
  const early = await steerBefore(agent, "steer-early");
  expect(early.steering).toMatchObject({ status: "completed", delivered_in: early.turn.id });
  expect(early.requests.map((request) => timesIn("steer-early", request))).toEqual([1]);

  const between = await steerBetween(agent, "steer-between");
  expect(between.steering).toMatchObject({ status: "completed", delivered_in: between.turn.id });
  expect(between.requests.map((request) => timesIn("steer-between", request))).toEqual([0, 1]);
  expect(between.around).toEqual(["tool.call_completed", "model.request_started"]);

  const last = await steerLast(agent, "steer-last");
  expect(last.requests.map((request) => timesIn("steer-last", request))).toEqual([0, 0, 1]);
  expect(textOf(agent.continues ? last.turn : last.steering)).toBe("Paris");
  if (agent.continues) expect(last.steering).toMatchObject({ status: "completed", delivered_in: last.turn.id });
  else expect([textOf(last.turn), last.steering.delivered_in]).toEqual(["Rome", undefined]);

  // Later turns have all of it, once.
  const [request] = (await steerBefore(agent, "steer-again")).requests;
  const texts = ["steer-early", "steer-between", "steer-last", "steer-again"];
  expect(texts.map((text) => timesIn(text, request!))).toEqual([1, 1, 1, 1]);
}

const steer = (agent: SteeredAgent, text: string): Promise<MessageRecord> =>
  agent.platform.client.sendMessageAsync(agent.session, { parts: [textPart(text)], on_busy: "steer" });

/** The message waits when its turn starts, because an earlier turn runs until both are sent. */
async function steerBefore(agent: SteeredAgent, text: string): Promise<SteeredTurn> {
  const asked = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const requests = play(agent, async (count) => {
    if (count > 1) return { text: "Rome" };
    asked.resolve();
    await sent.promise;
    return { text: "Go on" };
  });
  const earlier = await post(agent.platform, agent.session, "Wait");
  await asked.promise;
  const turn = await post(agent.platform, agent.session, "Where to?");
  const steering = await steer(agent, text);
  sent.resolve();
  await ended(agent.platform, earlier.id);
  return { ...(await endOf(agent, turn, steering)), requests: requests().slice(1) };
}

/** One of two tools returns only when the message waits. */
async function steerBetween(agent: SteeredAgent, text: string): Promise<SteeredTurn> {
  const asked = Promise.withResolvers<void>();
  const requests = play(agent, async (count) => {
    asked.resolve();
    return count === 1 ? { toolCalls: [agent.watch, agent.hold] } : { text: "Rome" };
  });
  const turn = await post(agent.platform, agent.session, "Where to?");
  await asked.promise;
  return { ...(await endOf(agent, turn, await steer(agent, text))), requests: requests() };
}

/** The last answer ends only when the agent's process knows that the message waits. */
async function steerLast(agent: SteeredAgent, text: string): Promise<SteeredTurn> {
  const answering = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  async function* slowly(): AsyncGenerator<string, void> {
    yield "Ro";
    answering.resolve();
    await told.promise;
    yield "me";
  }
  const requests = play(agent, async (count) => {
    if (count === 1) return { toolCalls: [agent.watch] };
    return { text: count === 2 ? slowly() : "Paris" };
  });
  const turn = await post(agent.platform, agent.session, "Where to?");
  await answering.promise;
  const steering = await steer(agent, text);
  const isTold = ({ message_id, type, data }: EventRecord): boolean =>
    message_id === turn.id && type === "agent.event" && data.name === "waits";
  const find = async (): Promise<boolean> => (await eventsOf(agent)).some(isTold);
  await waitUntil(find, { what: "the agent to know of the message", timeoutMs: 60_000 });
  told.resolve();
  return { ...(await endOf(agent, turn, steering)), requests: requests() };
}

/** Calls `script` with the number of each request of the conversation. Returns what returns these requests. */
function play(agent: SteeredAgent, script: (count: number) => Promise<ModelReply>): () => readonly ModelRequest[] {
  const { server, isConversation } = agent;
  const before = server.requests.length;
  let count = 0;
  server.play((request) => (isConversation(request) ? script((count += 1)) : { text: "A title" }));
  return () => server.requests.slice(before).filter(isConversation);
}

async function endOf(agent: SteeredAgent, { id }: MessageRecord, { id: steeringId }: MessageRecord) {
  const turn = await ended(agent.platform, id, 120_000);
  const steering = await ended(agent.platform, steeringId, 120_000);
  const events = (await eventsOf(agent)).filter(({ message_id }) => message_id === id || message_id === steeringId);
  const place = events.findIndex(({ sequence_number }) => sequence_number === steering.delivered_after);
  return { turn, steering, around: [events[place - 1]?.type, events[place + 1]?.type] as const };
}

async function eventsOf({ platform, session }: SteeredAgent): Promise<readonly EventRecord[]> {
  return (await platform.client.listEvents(session, { limit: 500 })).data;
}

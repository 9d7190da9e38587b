// When requests and calls began and ended is computed from events that are stored together.

import { expect, test } from "@jest/globals";
import { listBars, placeBars, type Bar } from "./bars.ts";
import type { Step, Turn } from "./transcript.ts";

const zero = Date.parse("2026-11-29T12:00:00.000Z");

function turnOf(events: readonly (readonly [atMs: number, type: string, data: object, attempt?: string])[]) {
  const steps = events.map(([atMs, type, data, attempt = "att_1"], index) => {
    const created_at = new Date(zero + atMs).toISOString();
    return { id: `evt_${index}`, attempt_id: attempt, type, data, created_at } as unknown as Step;
  });
  const attempts = ["att_1", "att_2"].map((id) => ({ id, number: 1, startedAt: new Date(zero).toISOString() }));
  return { steps, attempts, status: "running" } as Pick<Turn, "steps" | "attempts" | "status">;
}

function show(turn: Pick<Turn, "steps" | "attempts" | "status">, nowMs = 0) {
  return listBars(turn, zero + nowMs).map(({ item, startAt, endAt, depth }) => {
    const name = item.kind === "call" ? item.callId : `request ${item.data.ordinal}`;
    return [name, startAt - zero, endAt - zero, depth];
  });
}

const asks = (ordinal: number) => ["model.request_started", { ordinal }] as const;
const answers = (ordinal: number, duration_ms: number) =>
  ["model.request_completed", { ordinal, duration_ms }] as const;
const calls = (call_id: string, more = {}) => ["tool.call_requested", { call_id, name: "look", ...more }] as const;
const returns = (call_id: string, duration_ms?: number) =>
  ["tool.call_completed", { call_id, is_error: false, ...(duration_ms === undefined ? {} : { duration_ms }) }] as const;

test("work that was stored at once is placed one after the other, with its measured durations", () => {
  const turn = turnOf([
    [200, ...asks(1)],
    [200, ...answers(1, 50)],
    [200, ...calls("a")],
    [200, ...returns("a", 30)],
    [200, ...asks(2)],
    [400, ...answers(2, 220)],
  ]);
  expect(show(turn)).toEqual([
    ["request 1", 100, 150, 0],
    ["a", 150, 180, 0],
    ["request 2", 180, 400, 0],
  ]);
});

test("parallel calls overlap, and a subagent's work is inside its call", () => {
  const turn = turnOf([
    [100, ...calls("a")],
    [100, ...calls("b")],
    [300, ...calls("c", { parent_call_id: "a" })],
    [300, ...returns("c", 10)],
    [500, ...returns("b", 400)],
    [500, ...returns("a", 380)],
  ]);
  expect(show(turn)).toEqual([
    ["a", 120, 500, 0],
    ["c", 290, 300, 1],
    ["b", 100, 500, 0],
  ]);
});

test("a subagent's request that is counted from before its call is shown from the call on", () => {
  const turn = turnOf([
    [100, ...asks(1)],
    [100, ...answers(1, 80)],
    [200, ...calls("a")],
    [300, "model.request_started", { ordinal: 2, parent_call_id: "a" }],
    [300, "model.request_completed", { ordinal: 2, parent_call_id: "a", duration_ms: 290 }],
    [400, ...returns("a", 200)],
  ]);
  expect(show(turn)).toEqual([
    ["request 1", 20, 100, 0],
    ["a", 200, 400, 0],
    ["request 2", 200, 300, 1],
  ]);
});

test("work that runs ends now; without a measured duration, the events' times count", () => {
  const turn = turnOf([
    [100, ...calls("a")],
    [400, ...returns("a")],
    [500, ...calls("b")],
  ]);
  expect(show(turn, 900)).toEqual([
    ["a", 100, 400, 0],
    ["b", 500, 900, 0],
  ]);
});

test("the same ordinals of two attempts are two requests", () => {
  const turn = turnOf([
    [100, ...asks(1), "att_1"],
    [200, ...answers(1, 100), "att_1"],
    [700, ...asks(1), "att_2"],
    [800, ...answers(1, 80), "att_2"],
  ]);
  expect(show(turn)).toEqual([
    ["request 1", 100, 200, 0],
    ["request 1", 700 + 20, 800, 0],
  ]);
});

test("bars are moved together into the phase of the agent", () => {
  const bars = [
    [100, 150],
    [150, 300],
  ].map(([startAt, endAt]) => ({ startAt, endAt }) as Bar);
  const startsIn = (startMs: number, ms: number) => placeBars(bars, 50, { startMs, ms }).map((part) => part.startMs);
  expect(startsIn(0, 300)).toEqual([50, 100]);
  expect(startsIn(0, 240)).toEqual([40, 90]);
  expect(startsIn(80, 300)).toEqual([80, 130]);
  expect(startsIn(0, 100)).toEqual([0, 50]);
  expect(placeBars(bars, 50)).toEqual([
    { startMs: 50, ms: 50 },
    { startMs: 100, ms: 150 },
  ]);
});

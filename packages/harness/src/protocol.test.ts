// What a guest may send in a result: anything as parts, which are checked elsewhere, and numbers as usage.

import { expect, test } from "@jest/globals";
import { parseGuestFrame } from "./protocol.ts";

const resultWith = (usage: unknown) => parseGuestFrame(JSON.stringify({ t: "result", parts: [], usage }));

test("usage is numbers by name", () => {
  expect(resultWith({ input_tokens: 3, cost_usd: 0.25 })).toEqual({
    t: "result",
    parts: [],
    usage: { input_tokens: 3, cost_usd: 0.25 },
  });
});

test("an attempt that asks or fails can report its usage, too", () => {
  const usage = { input_tokens: 3 };
  const asked = { t: "ask", key: "a", schema: {}, prompt: "?", waitSeconds: 1 };
  const error = { t: "error", code: "agent_error", message: "", stack: "" };
  for (const frame of [asked, error]) {
    expect(parseGuestFrame(JSON.stringify({ ...frame, usage }))).toEqual({ ...frame, usage });
    expect(parseGuestFrame(JSON.stringify({ ...frame, usage: {} }))).toEqual(frame);
  }
});

test.each([
  ["no object", "many"],
  ["a negative number", { input_tokens: -1 }],
  ["a number that JSON cannot hold exactly", { input_tokens: 2 ** 60 }],
  ["text", { input_tokens: "3" }],
  ["a name that is none", { "input tokens": 3 }],
  ["a name that is too long", { ["x".repeat(65)]: 3 }],
])("%s is left out", (_title, usage) => {
  expect(resultWith(usage)).toEqual({ t: "result", parts: [] });
});

test("at most 32 numbers are accepted", () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`n${n}`, n]));
  const frame = resultWith(many);
  expect(frame.t === "result" && Object.keys(frame.usage ?? {})).toHaveLength(32);
});

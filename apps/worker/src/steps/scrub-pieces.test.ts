// A secret is found however it is split over pieces, also if the pieces of several texts alternate.

import { expect, test } from "@jest/globals";
import { createScrubber } from "@dari/domain";
import type { AgentPreview } from "@dari/harness";
import { createPieceScrubber } from "./scrub-pieces.ts";

const secret = "sk-live-0123456789abcdef";

/** Adds the pieces, and returns what is shown of each text. */
function shownOf(pieces: readonly AgentPreview[]): Record<string, string> {
  const shown: Record<string, string> = {};
  const { add } = createPieceScrubber(createScrubber(new Map([["KEY", secret]])), ({ type, data }) => {
    const key = type === "reasoning.delta" ? String(data.ordinal) : `${data.call_id} ${data.name}`;
    shown[key] = (shown[key] ?? "") + data.text;
  });
  for (const piece of pieces) add(piece);
  return shown;
}

const thought = (ordinal: number, text: string): AgentPreview => ({ type: "reasoning.delta", data: { ordinal, text } });
const given = (call_id: string, text: string, name = "send"): AgentPreview => ({
  type: "tool.arguments_delta",
  data: { call_id, name, text },
});

test("a secret of which each text gets a character at a time", () => {
  const pieces = [...`see ${secret}, done`].flatMap((unit) => [
    thought(1, unit),
    given("a", unit),
    given("b", unit),
    thought(2, unit),
  ]);
  const clean = "see [redacted:KEY], done";
  expect(shownOf(pieces)).toEqual({ "1": clean, "2": clean, "a send": clean, "b send": clean });
});

test("a secret in the names of a call", () => {
  expect(shownOf([given(secret, "{}", `send ${secret}`)])).toEqual({ "[redacted:KEY] send [redacted:KEY]": "{}" });
});

test("a text that is forgotten among many never shows the beginning of a secret", () => {
  const many = Array.from({ length: 200 }, (_, n) => given(`call ${n}`, "{}"));
  const shown = shownOf([given("a", secret.slice(0, 12)), ...many, given("a", secret.slice(12))]);
  expect(shown["a send"]).toBe(secret.slice(12));
  expect(Object.keys(shown)).toHaveLength(201);
});

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

test("a text that is given up among many shows neither half of a secret", () => {
  const many = Array.from({ length: 200 }, (_, n) => given(`call ${n}`, secret.slice(0, 12)));
  expect(shownOf([given("a", secret.slice(0, 12)), ...many, given("a", `${secret.slice(12)}.`)])).toEqual({});
});

test("texts that cannot be within a secret make no other text given up", () => {
  const many = Array.from({ length: 200 }, (_, n) => given(`call ${n}`, "{}"));
  const shown = shownOf([given("a", secret.slice(0, 12)), ...many, given("a", `${secret.slice(12)}.`), ...many]);
  expect(shown["a send"]).toBe("[redacted:KEY].");
  expect(shown["call 0 send"]).toBe("{}{}");
});

test("a text within a long secret counts as one that may be inside a secret", () => {
  const long = `-----BEGIN KEY-----${"0123456789abcdefghij".repeat(10)}`;
  const shown: string[] = [];
  const pieces = createPieceScrubber(createScrubber([["LONG", long]]), ({ data }) => void shown.push(data.text));
  pieces.add(given("a", long.slice(0, 120)));
  for (let n = 0; n < 200; n++) pieces.add(given(`call ${n}`, long.slice(0, 20)));
  pieces.add(given("a", long.slice(120)));
  expect(shown).toEqual(["[redacted:LONG]"]);
});

test("after many texts were given up, no other begins", () => {
  const many = Array.from({ length: 2_000 }, (_, n) => given(`call ${n}`, secret.slice(0, 12)));
  const shown = shownOf([...many, given("a", "{}"), given("call 1063", `${secret.slice(12)}.`)]);
  expect(shown).toEqual({ "call 1063 send": "[redacted:KEY]." });
});

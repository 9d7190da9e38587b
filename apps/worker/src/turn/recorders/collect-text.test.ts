// A secret is found in each message of the model, also if the pieces of several messages alternate.

import { expect, test } from "@jest/globals";
import { createScrubber, limits } from "@dari/domain";
import { createTextCollector } from "./collect-text.ts";

const secret = "sk-live-0123456789abcdef";
const clean = "see [redacted:KEY], done";

function open() {
  const shown: Record<string, string> = {};
  const collector = createTextCollector(createScrubber(new Map([["KEY", secret]])), (text, ordinal) => {
    const key = String(ordinal);
    shown[key] = (shown[key] ?? "") + text;
  });
  return { collector, shown };
}

test("messages that get a character of a secret at a time, in turn", () => {
  const { collector, shown } = open();
  for (const unit of `see ${secret}, done`) for (const ordinal of [1, undefined, 2]) collector.add(unit, ordinal);
  collector.end({ isCut: false });
  expect(shown).toEqual({ "1": clean, undefined: clean, "2": clean });
  expect(collector.parts()).toEqual([{ type: "text", text: clean + clean + clean }]);
});

test("a secret whose halves other text separates", () => {
  const { collector, shown } = open();
  collector.add(secret.slice(0, 12), 1);
  collector.add("Meanwhile.", 2);
  collector.add(secret.slice(12), 1);
  collector.end({ isCut: false });
  expect(shown).toEqual({ "1": "[redacted:KEY]", "2": "Meanwhile." });
  expect(collector.parts()).toEqual([{ type: "text", text: "[redacted:KEY]Meanwhile." }]);
});

test("the end of each message that only resembles a secret is shown and kept", () => {
  const { collector, shown } = open();
  collector.add("two task", 1);
  collector.add("no risks", 2);
  expect(shown).toEqual({ "1": "two ta", "2": "no risk" });
  collector.end({ isCut: false });
  expect(shown).toEqual({ "1": "two task", "2": "no risks" });
  expect(collector.parts()).toEqual([{ type: "text", text: "two taskno risks" }]);
});

test.each([false, true])("half a secret is neither shown nor kept if a message ends in it: %s", (isCut) => {
  const { collector, shown } = open();
  collector.add(`see ${secret.slice(0, 12)}`, 1);
  collector.end({ isCut });
  expect(shown).toEqual({ "1": "see [redacted:KEY]" });
  expect(collector.parts()).toEqual([{ type: "text", text: "see [redacted:KEY]" }]);
});

test("a message that is given up among many shows neither half of a secret", () => {
  const { collector, shown } = open();
  for (let ordinal = 1; ordinal <= 200; ordinal++) collector.add(`.${secret.slice(0, 12)}`, ordinal);
  collector.add(secret.slice(12), 1);
  expect(shown["1"]).toBe(".");
});

test("text above the limit is shown, but not kept", () => {
  const { collector, shown } = open();
  collector.add("a".repeat(limits.partialTextBytes - 1));
  collector.add(".", 1);
  collector.add("!", 2);
  expect(shown).toMatchObject({ "1": ".", "2": "!" });
  expect(collector.parts()).toEqual([{ type: "text", text: `${"a".repeat(limits.partialTextBytes - 1)}.` }]);
});

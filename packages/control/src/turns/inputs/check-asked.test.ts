// Which inputs an agent may ask for, beyond the rules for schemas.

import { describe, expect, test } from "@jest/globals";
import { createScrubber, limits } from "@dari/domain";
import { checkAskedInput } from "./check-asked-input.ts";

const scrubber = createScrubber(new Map([["PIN", "12345678"]]));
const fresh = { resume: undefined, scrubber };

function answered(keys: readonly string[]): Parameters<typeof checkAskedInput>[0] {
  const answers = Object.fromEntries(keys.map((key) => [key, true]));
  return { resume: { snapshotId: "snp_1", placed: [], answers }, scrubber };
}

test("a new and plain input is accepted", () => {
  expect(checkAskedInput(fresh, { key: "a", schema: { minLength: 3 } })).toBeUndefined();
  expect(checkAskedInput(answered(["b"]), { key: "a", schema: {} })).toBeUndefined();
});

describe("refused is", () => {
  const many = Array.from({ length: limits.inputsPerMessage }, (_, n) => `k${n}`);
  test.each([
    ["a key of the platform", fresh, { key: "dari:budget-1", schema: {} }, /begin with "dari:" are the platform's/],
    ["what is answered already", answered(["a"]), { key: "a", schema: {} }, /"a" is answered already/],
    ["one too many", answered(many), { key: "a", schema: {} }, /at most 32 inputs/],
    ["a key that is a secret", fresh, { key: "k12345678", schema: {} }, /the value of a secret/],
    ["a schema that holds for no answer", fresh, { key: "a", schema: { type: "x" } }, /not valid/],
    [
      "a schema that is invalid without its secrets",
      fresh,
      { key: "a", schema: { minLength: 12345678 } },
      /not valid: data\/minLength/,
    ],
  ])("%s", (_title, turn, asked, message) => {
    expect(checkAskedInput(turn, asked)).toMatchObject({
      code: "agent_error",
      message: expect.stringMatching(message),
    });
  });
});

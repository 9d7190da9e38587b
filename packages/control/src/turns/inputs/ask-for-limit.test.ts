// The question for a higher limit offers only values with which the message can go on.

import { validateAnswer } from "@dari/contract";
import { expect, test } from "@jest/globals";
import { askForLimit } from "./ask-for-limit.ts";

const text = "limit reached";

test("it says what was reached, and proposes twice the limit", () => {
  const asked = askForLimit({ requests: 3 }, { limit: "requests", used: 3, requested: 1, text })!;
  expect(asked.budget).toEqual({ limit: "requests", value: 3, used: 3, requested: 1, needed: 4 });
  expect(asked.prompt).toBe("limit reached. Approve to raise it to 6, or give another limit of at least 4.");
  expect(asked.schema["properties"]).toMatchObject({
    requests: { type: "integer", minimum: 4, maximum: 10_000, default: 6 },
  });
  expect(Object.keys(asked.schema["properties"] as object)).toEqual(["approved", "requests", "reason"]);
});

test.each<[value: unknown, problem: string | undefined]>([
  [{ approved: true }, undefined],
  [{ approved: false, reason: "too much" }, undefined],
  [{ approved: true, tokens: 5_000, requests: 10_000 }, undefined],
  [{ approved: true, tokens: 4_999 }, "value.tokens"],
  [{ approved: true, tokens: 1e12 + 1 }, "value.tokens"],
  [{ approved: true, tokens: 5_000.5 }, "value.tokens"],
  [{ approved: true, tokens: null }, "value.tokens"],
  [{ approved: true, requests: 8 }, "value.requests"],
  [{ approved: true, requests: 10_001 }, "value.requests"],
  [{ approved: true, at_limit: "stop" }, "value.at_limit"],
  [{ tokens: 9_000 }, "value.approved"],
  [{ approved: "yes" }, "value.approved"],
  [true, "value"],
])("an answer of %j has a problem at %s", (value, problem) => {
  const limits = { requests: 9, tokens: 2_000 };
  const asked = askForLimit(limits, { limit: "tokens", used: 1_500, requested: 3_500, text })!;
  expect(validateAnswer(asked.schema, value)[0]?.path).toBe(problem);
});

test("a request that needs more than twice the limit gets what it needs", () => {
  const asked = askForLimit({ tokens: 2_000 }, { limit: "tokens", used: 1_500, requested: 3_500, text })!;
  expect(asked.prompt).toContain("raise it to 5,000, or give another limit of at least 5,000.");
  const unknown = askForLimit({ tokens: 2_000 }, { limit: "tokens", used: 2_300, requested: null, text })!;
  expect(unknown.budget).toMatchObject({ requested: null, needed: 2_301 });
});

test("a cost is asked for to the millionth of a dollar", () => {
  const reached = { limit: "cost_usd", used: 0.1, requested: 0.2, text } as const;
  const asked = askForLimit({ cost_usd: 0.12 }, reached)!;
  expect(asked.budget).toEqual({ limit: "cost_usd", value: 0.12, used: 0.1, requested: 0.2, needed: 0.3 });
  expect(asked.prompt).toContain("raise it to $0.30, or give another limit of at least $0.30.");
  expect(validateAnswer(asked.schema, { approved: true, cost_usd: 0.3 })).toEqual([]);
  expect(validateAnswer(asked.schema, { approved: true, cost_usd: 0.299999 })).toHaveLength(1);
  expect(askForLimit({ cost_usd: 0.12 }, { ...reached, requested: null })?.budget.needed).toBe(0.100001);
  expect(askForLimit({ cost_usd: 0.12 }, { ...reached, requested: 100_000 })).toBeUndefined();
});

test("what no limit allows is not asked", () => {
  const most = { limit: "requests", used: 10_000, requested: 1, text } as const;
  expect(askForLimit({ requests: 10_000 }, most)).toBeUndefined();
  expect(askForLimit({ tokens: 5 }, most)).toBeUndefined();
  expect(askForLimit({ tokens: 5 }, { limit: "tokens", used: 1, requested: 1_000_000_000_000, text })).toBeUndefined();
  const nearly = askForLimit({ requests: 9_000 }, { limit: "requests", used: 9_000, requested: 1, text });
  expect(nearly?.prompt).toContain("raise it to 10,000");
});

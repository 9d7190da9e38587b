// A request that reaches a limit which a person may raise ends its turn without an answer.

import { describe, expect, test } from "@jest/globals";
import type { MessageLimits } from "@dari/domain";
import type { ModelAdmission, ModelResult } from "@dari/gateway";
import { waitUntil } from "@dari/testkit";
import { asking, database, go, open, refused, useLimitedAttempts } from "./limited-attempt.ts";

useLimitedAttempts();

describe("a limit that a person may raise", () => {
  test("ends the turn once all open requests have their answers, and these are stored", async () => {
    const { ask, limiter, stored } = await open({ requests: 2 }, undefined, asking);
    const ends = [go(await ask()), go(await ask())];
    let ended = 0;
    limiter.onReached(() => (ended += 1));
    const settled: ModelAdmission[] = [];
    const held = [ask(), ask()].map((each) => each.then((admission) => void settled.push(admission)));
    ends[0]!();
    // A free slot of the database's pool comes after the statement of the refused request.
    for (let at = 0; at < 5; at++) await database.db.pool.query("select 1");
    expect([limiter.asked, ended, stored]).toEqual([undefined, 0, []]);
    ends[1]!();
    await waitUntil(() => ended === 1, { what: "the end of the turn" });
    expect(stored).toEqual(["not reached"]);
    expect(limiter.asked).toMatchObject({
      budget: { limit: "requests", value: 2, used: 2, requested: 1, needed: 3 },
      prompt: expect.stringMatching(/^limit reached: the message has made 2 of 2 requests to models\. Approve to/),
    });
    expect(limiter.reached).toContain("raise limits.requests in dari.yml");
    // The agent gets no refusal that it could act on.
    expect(settled).toEqual([]);
    limiter.close();
    await Promise.all(held);
    expect(settled).toEqual([0, 1].map(() => expect.objectContaining({ isAdmitted: false, isTemporary: true })));
  });

  test("says what is used and what the request needs", async () => {
    const { ask, limiter } = await open({ tokens: 1_000, requests: 9 }, undefined, asking);
    go(await ask(500))();
    const held = ask(901);
    await waitUntil(() => limiter.asked !== undefined, { what: "the question" });
    const budget = { limit: "tokens", value: 1_000, used: 100, requested: 901, needed: 1_001 };
    expect(limiter.asked).toMatchObject({
      budget,
      schema: { properties: { tokens: { minimum: 1_001, default: 2_000 }, requests: { minimum: 9, default: 9 } } },
    });
    limiter.close();
    expect(await held).toEqual(refused("has ended"));
  });

  test("says what is used and asked for in dollars, also of a request without a maximum", async () => {
    // 100 tokens of input and 900 of output cost 9,100 micro-dollars.
    const { ask, limiter } = await open({ cost_usd: 0.01 }, undefined, asking);
    go(await ask(1_000))({ input: 100, output: 900 });
    const held = ask(null);
    go(await held)({ input: 1_000, output: 0 });
    const next = ask(1_000);
    await waitUntil(() => limiter.asked !== undefined, { what: "the question" });
    expect(limiter.asked).toMatchObject({
      budget: { limit: "cost_usd", value: 0.01, used: 0.0101, requested: 0.0091, needed: 0.0192 },
      prompt: expect.stringContaining("raise it to $0.02, or give another limit of at least $0.0192."),
    });
    limiter.close();
    expect(await next).toEqual(refused("has ended"));
  });

  test("is not asked for because of a model without a price", async () => {
    const { ask, limiter } = await open({ cost_usd: 1 }, undefined, asking);
    expect(await ask(1_000, undefined, "unpriced")).toEqual(refused("has no price"));
    expect(limiter.asked).toBeUndefined();
  });

  test.each<[title: string, limits: MessageLimits, used: Partial<ModelResult>, manifest: object, more: object]>([
    ["is not asked for without recorded answers", { requests: 1 }, {}, { ...asking, retries: {} }, {}],
    ["is not asked for beyond its maximum", { tokens: 5_000 }, { output: 999_999_999_999 }, asking, {}],
    [
      "is not asked for by a replay",
      { requests: 1 },
      {},
      asking,
      { replay: { of: "msg_1", asksModels: true, answers: [] } },
    ],
    ["is not asked for if recording is off", { requests: 1 }, {}, asking, { answerRecording: "never" }],
  ])("%s", async (_title, limits, used, manifest, more) => {
    const { ask, limiter } = await open(limits, undefined, manifest, more);
    go(await ask(1))(used);
    expect(await ask(5_000)).toEqual(refused("limit reached"));
    expect([limiter.asked, limiter.reached]).toEqual([undefined, expect.stringContaining("limit reached")]);
  });
});

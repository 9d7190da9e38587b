// Requests of an attempt to models go out only within the limits of its message, whatever order they come and end in.

import { describe, expect, test } from "@jest/globals";
import { finishTurn } from "@dari/control/turns";
import { dispatch, type ClaimedTurn } from "@dari/db";
import { failure } from "@dari/domain";
import type { ModelResult } from "@dari/gateway";
import { waitUntil } from "@dari/testkit";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import { isMetered, limitModelRequests } from "../src/turn/model-limits/limit-model-requests.ts";
import {
  claim,
  database,
  go,
  log,
  notifier,
  open,
  place,
  putPrices,
  refused,
  rowsOf,
  useLimitedAttempts,
} from "./limited-attempt.ts";

useLimitedAttempts();

test("a message without limits has no gate", () => {
  const attempt = { turn: {} } as unknown as RestoredAttempt;
  expect(limitModelRequests(attempt, {} as never, () => Promise.resolve())).toBeUndefined();
});

test.each<[host: string, isKnown: boolean]>([
  ["api.openai.com", true],
  ["eu.api.openai.com:8443", true],
  ["*.openai.azure.com", true],
  ["*.googleapis.com", true],
  ["api.github.com", false],
  ["api.mistral.ai", false],
  ["*.example.com", false],
])("a credential for %s makes limits apply: %s", (host, isKnown) => {
  const keptSecrets = [{ hosts: ["api.github.com", host] }];
  expect(isMeteredTurn({ keptSecrets })).toBe(isKnown);
  expect(isMeteredTurn({ keptSecrets }, "not_enforced")).toBe(false);
});

test("a host that dari.yml names under models makes limits apply where the proxy is", () => {
  const models = [{ host: "127.0.0.1:11434", scheme: "http", format: "openai-chat" }];
  expect([isMeteredTurn({ models }), isMeteredTurn({ models }, "not_enforced"), isMeteredTurn({})]).toEqual([
    true,
    false,
    false,
  ]);
});

function isMeteredTurn(
  { keptSecrets = [], models }: { readonly keptSecrets?: readonly object[]; readonly models?: readonly object[] },
  network = "enforced",
): boolean {
  return isMetered({ guarantees: { network } } as never, { keptSecrets, manifest: { models } } as never);
}

test("a request that cannot be reserved can be tried again, and the turn goes on", async () => {
  const { ask, limiter, recorder, turn } = await open({ tokens: 1_000 });
  const { token } = turn;
  Object.assign(turn, { token: "no token" });
  expect(await ask(100)).toMatchObject({ isAdmitted: false, isTemporary: true });
  expect(limiter.reached).toBeUndefined();
  Object.assign(turn, { token });
  go(await ask(100))();
  await recorder.flush();
  // The statement that failed may have reserved the first ordinal.
  expect((await rowsOf(turn)).map(({ ordinal }) => ordinal)).toEqual([2]);
});

test("of ten requests at once, as many go out as the limit has", async () => {
  const { ask, turn, limiter } = await open({ requests: 3 });
  const all = await Promise.all(Array.from({ length: 10 }, () => ask()));
  expect(all.map(({ isAdmitted }) => isAdmitted)).toEqual([true, true, true, ...Array(7).fill(false)]);
  const text = "limit reached: the message has made 3 of 3 requests to models; raise limits.requests in dari.yml";
  expect(all[3]).toEqual(refused(text));
  expect(limiter.reached).toContain(text);
  expect(await rowsOf(turn)).toHaveLength(3);
});

test("of ten requests at once, those wait that do not fit with what is reserved", async () => {
  const { ask, limiter } = await open({ tokens: 2_500 });
  const ends: (() => void)[] = [];
  let [most, current] = [0, 0];
  const all = Array.from({ length: 10 }, async () => {
    const end = go(await ask(1_000));
    most = Math.max(most, (current += 1));
    ends.push(() => {
      current -= 1;
      end();
    });
  });
  let ended = 0;
  while (ended < 10) {
    await waitUntil(() => ends.length > 0, { what: "a request that goes out" });
    ends.pop()!();
    ended += 1;
  }
  await Promise.all(all);
  expect(most).toBe(2);
  // 1,000 are used now, and 1,500 left.
  expect(await ask(1_501)).toEqual(
    refused("1,000 of the message's 2,500 tokens are used or reserved, and this request"),
  );
  expect(limiter.reached).toContain("can use up to 1,501");
});

test("a request whose use is not known goes out alone, and the next one with what it has left", async () => {
  const { ask, turn } = await open({ tokens: 1_000 });
  const first = go(await ask(100));
  const alone = ask(null);
  const behind = ask(100);
  let isOut = false;
  void alone.then(() => (isOut = true));
  for (let at = 0; at < 5; at++) expect(await rowsOf(turn)).toHaveLength(1);
  expect(isOut).toBe(false);
  first();
  const second = go(await alone);
  second({ input: 650, output: 150 });
  go(await behind)({ input: 100, output: 0 });
  expect(await ask(1)).toEqual(refused("1,000 of the message's 1,000 tokens"));
});

describe("what counts", () => {
  test.each<[title: string, changed: Partial<ModelResult>, left: number]>([
    ["an answer as the provider counts it", {}, 900],
    ["more than was reserved", { input: 500, output: 100 }, 400],
    ["a refusal as nothing", { status: 429, input: null, output: null, finishReason: "error" }, 1_000],
    ["what did not go out as nothing", { status: null, input: null, output: null }, 1_000],
    ["an answer without counts as what it reserved", { input: null, output: null }, 500],
    ["an answer without a count of its output", { output: null }, 500],
    ["an answer that is cut", { isComplete: false, output: 1 }, 500],
    ["an answer that ends with an error", { finishReason: "error", output: 1 }, 500],
    ["no answer", { isComplete: false, status: null, input: null, output: null }, 500],
    ["an answer that is not read", { isComplete: false, unread: "encoding", input: null, output: null }, 500],
  ])("%s", async (_title, changed, left) => {
    const { ask, recorder } = await open({ tokens: 1_000 });
    go(await ask(500))(changed);
    await recorder.flush();
    go(await ask(left))({ input: left, output: 0 });
    expect(await ask(1)).toEqual(refused("limit reached"));
  });
});

/** Returns the claim of the next attempt. */
async function loseWorker(turn: ClaimedTurn): Promise<ClaimedTurn> {
  await finishTurn({ db: database.db, notifier, log }, turn, place.organizationId, {
    ending: "retry",
    failure: failure("worker_lost"),
    waitMs: 0,
  });
  await dispatch.reapExpired(database.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
  const [moved] = await dispatch.dispatchIfReady(
    database.db,
    [{ organizationId: place.organizationId, count: 1 }],
    60_000,
  );
  return claim(turn.sessionId, moved!.dispatchNumber);
}

test("another attempt counts what the earlier ones hold, also those of a lost worker", async () => {
  const first = await open({ tokens: 1_000, requests: 5 });
  go(await first.ask(300))();
  await first.recorder.flush();
  go(await first.ask(600));
  const second = await open({ tokens: 1_000, requests: 5 }, await loseWorker(first.turn));
  expect((await first.ask(1)).isAdmitted).toBe(false);
  expect(await second.ask(301)).toEqual(refused("700 of the message's 1,000 tokens are used or reserved (600 by"));
  expect((await rowsOf(second.turn)).map(({ isComplete }) => isComplete)).toEqual([true, false]);
});

describe("a limit in dollars", () => {
  test("lets only those of ten requests go out that fit with what is reserved", async () => {
    const { ask, limiter, turn } = await open({ cost_usd: 0.02 });
    const ends: (() => void)[] = [];
    let [most, current] = [0, 0];
    const all = Array.from({ length: 10 }, async () => {
      const end = go(await ask(1_000));
      most = Math.max(most, (current += 1));
      ends.push(() => {
        current -= 1;
        end();
      });
    });
    for (let ended = 0; ended < 10; ended++) {
      await waitUntil(() => ends.length > 0, { what: "a request that goes out" });
      ends.pop()!();
    }
    await Promise.all(all);
    // Each can cost 100 + 9,000 micro-dollars, and costs 60 + 400.
    expect(most).toBe(2);
    const rows = await rowsOf(turn);
    expect(rows.map(({ reservedCost, reservedTokens }) => [reservedCost, reservedTokens])).toEqual(
      Array(10).fill([9_100, null]),
    );
    expect(await ask(1_700)).toEqual(
      refused("$0.0046 of the message's $0.02 are used or reserved, and this request can cost up to $0.01547; raise"),
    );
    expect(limiter.reached).toContain("raise limits.cost_usd in dari.yml");
  });

  test.each<[title: string, changed: Partial<ModelResult>, used: string]>([
    ["an answer as its price says", {}, "$0.00046"],
    ["a refusal as nothing", { status: 429, input: null, output: null, finishReason: "error", model: null }, "$0.00"],
    ["what did not go out as nothing", { status: null, input: null, output: null, model: null }, "$0.00"],
    ["an answer that is cut as what it reserved", { isComplete: false, output: 1 }, "$0.00455"],
    ["an answer without counts as what it reserved", { input: null, output: null }, "$0.00455"],
    ["an answer of a model without a price as what it reserved", { model: "other" }, "$0.00455"],
    ["more than was reserved as it is", { output: 900 }, "$0.00906"],
  ])("counts %s", async (_title, changed, used) => {
    const { ask } = await open({ cost_usd: 0.01 });
    go(await ask(500))(changed);
    expect(await ask(2_000)).toEqual(refused(`limit reached: ${used} of the message's $0.01`));
  });

  test("refuses a model that has no price, although others are open", async () => {
    const { ask, limiter, turn } = await open({ cost_usd: 1 });
    go(await ask(100));
    expect(await ask(100, undefined, "other")).toEqual(
      refused("the model other of api.openai.com has no price; let an operator import one"),
    );
    expect(limiter.reached).toContain("use limits.tokens in place of limits.cost_usd");
    expect(await rowsOf(turn)).toHaveLength(1);
  });

  test.each<[title: string, tokens: number | null, model: string | null]>([
    ["tokens are", null, "m"],
    ["model is", 100, null],
  ])("lets a request whose %s not known go out alone, with all that is left", async (_title, tokens, model) => {
    const { ask, turn } = await open({ cost_usd: 0.01 });
    const first = go(await ask(100));
    const alone = ask(tokens, undefined, model);
    for (let at = 0; at < 5; at++) expect(await rowsOf(turn)).toHaveLength(1);
    first();
    go(await alone)({ output: 1_000 });
    // 10,000 less the 460 of the first one.
    expect((await rowsOf(turn)).map(({ reservedCost }) => reservedCost)).toEqual([910, 9_540]);
    expect(await ask(1)).toEqual(refused("$0.01052 of the message's $0.01"));
  });

  test("keeps what was reserved and stored when another price list is imported", async () => {
    const { ask, turn, recorder } = await open({ cost_usd: 0.02 });
    const [first, second] = [go(await ask(100)), go(await ask(100))];
    first();
    // The result arrives during the first one.
    for (let at = 0; at < 2; at++) await recorder.flush();
    await putPrices(["m", "gpt-5"], 10);
    // What is stored now has the new price.
    second();
    expect(await ask(200)).toEqual(refused("$0.00506 of the message's $0.02 are used or reserved, and this request"));
    const rows = await rowsOf(turn);
    expect(rows.map(({ cost, reservedCost }) => [cost, reservedCost])).toEqual([
      [460, 910],
      [4_600, 910],
    ]);
  });

  test("refuses once the list is removed", async () => {
    const { ask } = await open({ cost_usd: 0.02 });
    go(await ask(100))();
    await putPrices([]);
    expect(await ask(100)).toEqual(refused("the model m of api.openai.com has no price"));
  });

  test("counts earlier attempts, also that of a lost worker", async () => {
    const first = await open({ cost_usd: 0.01 });
    go(await first.ask(100))();
    await first.recorder.flush();
    go(await first.ask(500));
    const second = await open({ cost_usd: 0.01 }, await loseWorker(first.turn));
    expect(await second.ask(600)).toEqual(
      refused("$0.00501 of the message's $0.01 are used or reserved ($0.00455 by requests whose cost is not known"),
    );
  });

  test("is read by the database for workers that do not know it, but limits", async () => {
    const { turn, ask } = await open({ cost_usd: 0.01 });
    const byOldWorker = async (ordinal: number): Promise<unknown> => {
      const old = `select outcome, requests, tokens, unknown from reserve_model_request(
        p_session => $1, p_fence => $2, p_token => $3, p_ordinal => $4, p_host => 'api.openai.com',
        p_format => 'openai-chat', p_tokens => null, p_max_requests => 10000, p_max_tokens => null)`;
      const values = [turn.sessionId, turn.fence, turn.token, ordinal];
      return (await database.db.pool.query<object>(old, values)).rows[0];
    };
    expect(await byOldWorker(101)).toMatchObject({ outcome: "reserved" });
    expect(await byOldWorker(102)).toMatchObject({ outcome: "cost" });
    expect(await ask(1)).toEqual(refused("$0.01 of the message's $0.01"));
  });
});

test("a client that leaves, and the end of the turn, end the wait", async () => {
  const { ask, limiter, turn } = await open({ tokens: 1_000 });
  go(await ask(1_000));
  const leaving = new AbortController();
  const left = ask(500, leaving.signal);
  const behind = ask(500);
  leaving.abort();
  expect(await left).toEqual(refused("has ended"));
  limiter.close();
  expect(await behind).toEqual(refused("has ended"));
  expect(limiter.reached).toBeUndefined();
  expect(await rowsOf(turn)).toHaveLength(1);
});

test("the end of the turn is asked for once the refusal was sent", async () => {
  const { ask, limiter } = await open({ requests: 1 });
  go(await ask());
  const [second, third] = await Promise.all([ask(), ask()]);
  let ends = 0;
  limiter.onReached(() => (ends += 1));
  if (second.isAdmitted || third.isAdmitted) throw new Error("admitted");
  expect(ends).toBe(0);
  third.onRefused!();
  second.onRefused!();
  expect(ends).toBe(1);
  limiter.onReached(() => (ends += 1));
  expect(ends).toBe(2);
});

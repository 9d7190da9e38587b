// What model requests cost: which price fits, exact amounts, and the sums that attempts keep.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { sql } from "kysely";
import {
  dispatch,
  modelPrices,
  modelRequests,
  turns,
  usage,
  withinTransaction,
  withTransaction,
} from "../src/index.ts";
import type { ClaimedTurn, ModelPrice, ModelRequestRow } from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";
import { untilWaiting } from "./until-waiting.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene.close());

const price = (host: string, model: string, input = 1_000_000, changed: Partial<ModelPrice> = {}): ModelPrice => ({
  host,
  model,
  input,
  cachedInput: null,
  cacheWrite: null,
  output: 0,
  ...changed,
});
const put = (validFrom: string, prices: readonly ModelPrice[], datesMax = 10) =>
  modelPrices.putPriceListIfBelow(scene.db, validFrom, prices, datesMax);

interface Counts {
  readonly status?: number | null;
  readonly input?: number | null;
  readonly cached?: number | null;
  readonly cacheWrite?: number | null;
  readonly output?: number | null;
}

async function costOf(host: string | null, model: string | null, counts: Counts = {}): Promise<number | null> {
  const { status = 200, input = 1, cached = null, cacheWrite = null, output = null } = counts;
  const { rows } = await sql<{ cost: number | null }>`select model_cost(${host}, ${model}, ${status}::int,
    ${input}::bigint, ${cached}::bigint, ${cacheWrite}::bigint, ${output}::bigint) as cost`.execute(scene.db.kysely);
  return rows[0]!.cost;
}

async function day(offset: number): Promise<string> {
  const { rows } = await sql<{ day: string }>`
    select ((current_timestamp at time zone 'UTC')::date + ${offset}::int)::text as day`.execute(scene.db.kysely);
  return rows[0]!.day;
}

describe("the price of a request", () => {
  test("is that of the most specific host, and there of the most specific model", async () => {
    const prices = [
      price("*", "*", 1_000_000),
      price("*", "gpt-5", 2_000_000),
      price("*.openai.azure.com", "gpt-5*", 3_000_000),
      price("*.west.openai.azure.com", "gpt*", 4_000_000),
      price("a.west.openai.azure.com", "g*", 5_000_000),
      price("a.west.openai.azure.com", "gpt-5-mini*", 6_000_000),
      price("a.west.openai.azure.com", "gpt-5-mini", 7_000_000),
    ];
    await put("2026-01-01", prices);
    const found = async (host: string, model: string) => costOf(host, model);
    expect(await found("api.openai.com", "o3")).toBe(1);
    expect(await found("api.openai.com", "gpt-5")).toBe(2);
    expect(await found("b.openai.azure.com", "gpt-5-2025-08-07")).toBe(3);
    expect(await found("b.openai.azure.com", "gpt-4")).toBe(1);
    expect(await found("b.west.openai.azure.com", "gpt-5")).toBe(4);
    expect(await found("a.west.openai.azure.com", "gpt-5")).toBe(5);
    expect(await found("a.west.openai.azure.com", "gpt-5-mini-2")).toBe(6);
    expect(await found("a.west.openai.azure.com", "gpt-5-mini")).toBe(7);
    // The port does not matter. A domain is not below itself, and no dot is not a border.
    expect(await found("a.west.openai.azure.com:8443", "gpt-5-mini")).toBe(7);
    expect(await found("openai.azure.com", "gpt-5-mini")).toBe(1);
    expect(await found("xopenai.azure.com", "gpt-5-mini")).toBe(1);
  });

  test("is not found by names that look like patterns", async () => {
    await put("2026-01-01", [price("api.openai.com", "gpt-5"), price("*.example.com", "m_1*"), price("a.com", "b%*")]);
    for (const model of ["gpt-5*", "gpt-_", "gpt%", "*", "", "GPT-5", "gpt-5 ", "gpt-5' or true --", "\\", null]) {
      expect([model, await costOf("api.openai.com", model)]).toEqual([model, null]);
    }
    for (const host of [
      "*",
      "",
      "*.example.com",
      "example.com",
      null,
      "api.openai.com.evil.com",
      "evil-api.openai.com",
    ]) {
      expect([host, await costOf(host, "gpt-5"), await costOf(host, "m_1x")]).toEqual([host, null, null]);
    }
    expect(await costOf("a.example.com", "mx1")).toBe(null);
    expect(await costOf("a.example.com", "m_1x")).toBe(1);
    expect(await costOf("a.com", "bx")).toBe(null);
  });

  test("is that of the list in force", async () => {
    await put(await day(1), [price("*", "*", 9_000_000)]);
    expect(await costOf("a.com", "m")).toBe(null);
    await put(await day(-40), [price("*", "*", 2_000_000), price("*", "old", 1_000_000)]);
    expect([await costOf("a.com", "m"), await costOf("a.com", "old")]).toEqual([2, 1]);
    // A list is whole: a price of an earlier list does not apply.
    await put(await day(0), [price("*", "m", 3_000_000)]);
    expect([await costOf("a.com", "m"), await costOf("a.com", "old")]).toEqual([3, null]);
    // Without prices, a date has no list.
    const inForce = await day(-40);
    expect(await put(await day(0), [])).toEqual({ outcome: "put", replaced: 1, missing: [], inForce });
    expect([await costOf("a.com", "m"), await costOf("a.com", "old")]).toEqual([2, 1]);
    const lists = await modelPrices.listPriceLists(scene.db);
    expect(lists).toEqual([
      { validFrom: await day(1), prices: 1, isInForce: false },
      { validFrom: await day(-40), prices: 2, isInForce: true },
    ]);
  });
});

describe("the cost of a request", () => {
  beforeEach(async () => {
    const amounts = { cachedInput: 125_000, cacheWrite: 1_562_500, output: 10_000_000 };
    await put("2026-01-01", [price("*", "all", 1_250_000, amounts), price("*", "two", 37_500, { output: 150_000 })]);
  });

  test.each<[string, string, Counts, number | null]>([
    ["all kinds of tokens", "all", { input: 10_000, cached: 4_000, cacheWrite: 1_000, output: 300 }, 11_313],
    ["cached input without its own price", "two", { input: 1_000_000, cached: 400_000 }, 37_500],
    ["a half is rounded up", "two", { input: 0, output: 10 }, 2],
    ["less than a half is rounded down", "two", { input: 13 }, 0],
    ["no tokens", "all", { input: null }, null],
    ["an error without tokens", "all", { input: null, status: 429 }, 0],
    ["an error without tokens of an unknown model", "other", { input: null, status: 500 }, 0],
    ["no answer", "all", { input: null, status: null }, null],
    ["only output", "all", { input: null, output: 3 }, 30],
    ["more cached than input", "all", { input: 8, cached: 80 }, 10],
    ["counts near the largest integer", "all", { input: Number.MAX_SAFE_INTEGER, output: 9e15 }, 1e12],
    ["an unknown model", "other", { input: 5 }, null],
  ])("%s", async (_title, model, counts, cost) => {
    expect(await costOf("a.com", model, counts)).toBe(cost);
  });
});

describe("the most that a request can cost", () => {
  async function worstOf(model: string | null, input: number | null, output: number | null): Promise<number | null> {
    const { rows } = await sql<{ cost: number | null }>`
      select worst_cost(p, ${input}::bigint, ${output}::bigint) as cost
      from price_of(p_host => 'a.com', p_model => ${model}) p`.execute(scene.db.kysely);
    return rows[0]?.cost ?? null;
  }

  test("is its input at the highest price of input, and never less than its cost", async () => {
    const amounts = { cachedInput: 125_000, cacheWrite: 1_562_500, output: 10_000_000 };
    await put("2026-01-01", [price("*", "all", 1_250_000, amounts), price("*", "two", 37_500, { output: 150_000 })]);
    expect(await worstOf("all", 10_000, 300)).toBe(15_625 + 3_000);
    expect(await costOf("a.com", "all", { input: 10_000, cacheWrite: 10_000, output: 300 })).toBe(15_625 + 3_000);
    expect(await worstOf("two", 13, 0)).toBe(1);
    expect(await worstOf("all", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)).toBe(1e12);
    expect([await worstOf("all", null, null), await worstOf("other", 1, 1), await worstOf(null, 1, 1)]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

const row = (ordinal: number, changed: Partial<ModelRequestRow> = {}): ModelRequestRow => ({
  ...{ ordinal, requests: 1, host: "api.openai.com", format: "openai-chat", model: "gpt-5", status: 200 },
  ...{ input: 1_000, cachedInput: null, cacheWrite: null, output: 10, reasoning: null, finishReason: "stop" },
  ...{ durationMs: 1, isComplete: true, unread: null, isRecorded: false },
  ...changed,
});

describe("an attempt", () => {
  let sessionId: string;
  beforeEach(async () => {
    sessionId = await scene.session();
    await put("2026-01-01", [price("*", "gpt-5", 1_000_000, { output: 2_000_000 })]);
  });

  async function begin(): Promise<ClaimedTurn> {
    const turn = await scene.claim(sessionId);
    await turns.markCalledIfHeld(scene.db, turn);
    return turn;
  }
  const record = (turn: ClaimedTurn, rows: readonly ModelRequestRow[]) =>
    modelRequests.recordModelRequestsIfHeld(scene.db, turn, rows);
  const complete = (turn: ClaimedTurn) =>
    turns.finishIfHeld(scene.db, turn, { ending: "completed", output: { parts: [] }, snapshot: emptySnapshot(null) });
  const costs = async ({ messageId }: ClaimedTurn) => {
    const of = { organizationId: scene.organizationId, messageId };
    return (await modelRequests.listModelRequests(scene.db, of, { limit: 10 }))!.rows.map(({ cost }) => cost);
  };
  const sum = () =>
    usage.sumSessionUsage(scene.db, { organizationId: scene.organizationId, sessionId }, 100).then((used) => ({
      requests: used.meteredRequests,
      tokens: used.meteredTokens,
      cost: used.meteredCost,
      unpriced: used.unpricedRequests,
    }));

  test("keeps the sums of its requests when it ends, also if it fails, is repeated or loses its worker", async () => {
    await scene.send(sessionId);
    const first = await begin();
    await record(first, [row(1), row(2, { model: "unknown" })]);
    expect(await sum()).toEqual({ requests: 0, tokens: 0, cost: null, unpriced: 0 });
    const failure = { code: "agent_error", message: "again" } as const;
    await turns.finishIfHeld(scene.db, first, { ending: "retry", failure, output: { parts: [] }, waitMs: 0 });
    expect(await sum()).toEqual({ requests: 2, tokens: 2_020, cost: 1_020, unpriced: 1 });
    await scene.db.pool.query("select ready_due_retries(10, 0)");
    const second = await begin();
    const rest = { requests: 40, host: null, format: null, model: null, input: 7, output: null };
    await record(second, [row(1), row(2, rest)]);
    await scene.db.pool.query("update sessions set lease_until = clock_timestamp() - interval '1 second'");
    await dispatch.reapExpired(scene.db, { limit: 10, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
    expect(await sum()).toEqual({ requests: 43, tokens: 3_037, cost: 2_040, unpriced: 41 });
    const third = await begin();
    await complete(third);
    expect(await sum()).toEqual({ requests: 43, tokens: 3_037, cost: 2_040, unpriced: 41 });
    const { rows } = await scene.db.pool.query("select metered_requests as n from attempts order by fence");
    expect(rows.map(({ n }) => n)).toEqual([2, 41, null]);
  });

  test("counts requests that were made before its entrypoint was called", async () => {
    await scene.send(sessionId);
    const turn = await scene.claim(sessionId);
    await record(turn, [row(1)]);
    const failure = { code: "agent_error", message: "it did not load" } as const;
    await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure, output: { parts: [] } });
    expect(await sum()).toEqual({ requests: 1, tokens: 1_010, cost: 1_020, unpriced: 0 });
    const used = await usage.sumSessionUsage(scene.db, { organizationId: scene.organizationId, sessionId }, 100);
    expect(used).toMatchObject({ turns: 0, turnSeconds: 0, tokens: 0 });
  });

  test("ends although its counts are invented", async () => {
    await scene.send(sessionId);
    const turn = await begin();
    const most = { input: Number.MAX_SAFE_INTEGER, output: Number.MAX_SAFE_INTEGER };
    await record(turn, [row(1, most), row(2, most), row(3, { requests: 2_147_483_647, host: null, ...most })]);
    expect(await complete(turn)).toMatchObject({ recorded: "completed" });
    expect(await sum()).toEqual({ requests: 2_147_483_649, tokens: 3e12, cost: 2e12, unpriced: 2_147_483_647 });
  });

  test("keeps the costs of rows that are stored again, unless their counts differ", async () => {
    await scene.send(sessionId);
    const turn = await begin();
    const rows = [row(1), row(2, { model: "unknown" }), row(3, { input: null, output: null })];
    await record(turn, rows);
    await put("2026-01-01", [price("*", "*", 5_000_000)]);
    await record(turn, rows);
    expect(await costs(turn)).toEqual([1_020, null, null]);
    await record(turn, [row(1, { output: 11 }), row(3)]);
    expect(await costs(turn)).toEqual([5_000, null, 5_000]);
    await complete(turn);
  });

  test("has a request that was reserved and not sent, which costs nothing", async () => {
    await scene.send(sessionId);
    const turn = await begin();
    const toReserve = { ordinal: 1, host: "api.openai.com", format: "openai-chat", tokens: 9, input: 5 } as const;
    await modelRequests.reserveModelRequestIfHeld(
      scene.db,
      turn,
      { ...toReserve, model: "gpt-5" },
      { requests: 9, tokens: 9 },
    );
    const unsent = { status: null, model: null, input: null, output: null, finishReason: null };
    await record(turn, [row(1, unsent), row(2, { ...unsent, isComplete: false }), row(3)]);
    await record(turn, [row(1, unsent)]);
    expect(await costs(turn)).toEqual([0, null, 1_020]);
    await complete(turn);
    expect(await sum()).toMatchObject({ requests: 3, cost: 1_020, unpriced: 1 });
  });

  test("keeps its costs when prices are imported later", async () => {
    await scene.send(sessionId);
    const turn = await begin();
    await record(turn, [row(1), row(2, { model: "unknown" })]);
    await put("2026-01-01", [price("*", "*", 5_000_000)]);
    await put("2026-01-02", [price("*", "*", 6_000_000)]);
    expect(await costs(turn)).toEqual([1_020, null]);
    await complete(turn);
    expect(await sum()).toMatchObject({ cost: 1_020, unpriced: 1 });
  });
});

describe("an import", () => {
  test("replaces the date's prices, says what the list before had, and can be repeated", async () => {
    const [a, b, c] = [price("*", "a"), price("*", "b"), price("*", "c")];
    const inForce = "2026-01-01";
    expect(await put(inForce, [a, b])).toEqual({ outcome: "put", replaced: 0, missing: [], inForce });
    const missing = [{ host: "*", model: "a" }];
    expect(await put("2026-02-01", [b, c])).toMatchObject({
      outcome: "put",
      replaced: 0,
      missing,
      inForce: "2026-02-01",
    });
    expect(await put("2026-02-01", [b, c])).toMatchObject({ outcome: "put", replaced: 2, missing });
    const other = price("*", "c", 5, { cachedInput: 0 });
    expect(await put("2026-02-01", [other])).toMatchObject({ replaced: 2 });
    expect(await modelPrices.listPrices(scene.db, "2026-02-01")).toEqual([other]);
    expect(await modelPrices.listPrices(scene.db, "2026-01-01")).toEqual([a, b]);
  });

  test("of a further date is refused at the limit; of a known one, and a removal, not", async () => {
    await put("2026-01-01", [price("*", "a")], 2);
    await put("2026-01-02", [price("*", "a")], 2);
    expect(await put("2026-01-03", [price("*", "a")], 2)).toEqual({ outcome: "full" });
    expect(await put("2026-01-02", [price("*", "b")], 2)).toMatchObject({ outcome: "put" });
    expect(await put("2026-01-03", [], 2)).toMatchObject({ outcome: "put", replaced: 0 });
    expect(await put("2026-01-02", [], 2)).toMatchObject({ outcome: "put", replaced: 1 });
    expect(await put("2026-01-03", [price("*", "a")], 2)).toMatchObject({ outcome: "put" });
  });

  test.each(["committed", "rolled back"])("waits for another one, which is %s", async (ended) => {
    const date = "2026-01-01";
    await put(date, [price("*", "old")]);
    const isWritten = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    const first = withTransaction(scene.db, async (tx) => {
      const prices = [price("*", "x"), price("*", "y")];
      await modelPrices.putPriceListIfBelow(withinTransaction(scene.db, tx), date, prices, 10);
      isWritten.resolve();
      await mayEnd.promise;
      if (ended === "rolled back") throw new Error(ended);
    }).catch(String);
    await isWritten.promise;
    const second = put(date, [price("*", "x"), price("*", "z")]);
    await untilWaiting(scene.db, 1);
    mayEnd.resolve();
    await first;
    expect(await second).toMatchObject({ outcome: "put", replaced: ended === "committed" ? 2 : 1 });
    const models = (await modelPrices.listPrices(scene.db, date)).map(({ model }) => model);
    expect(models).toEqual(["x", "z"]);
  });
});

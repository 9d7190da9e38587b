// Formats and parses sizes, durations, phases, routes and diffs.

import { describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { buildAnswer, answerFields } from "./answer.ts";
import { changedFields } from "./changed-fields.ts";
import { readDiff } from "./diff.ts";
import { agoText, costText, countText, durationText, plainText, shortId, sizeText } from "./format.ts";
import { readRoute } from "./route.ts";
import { listPhases, buildTimeline, waitText } from "./timeline.ts";
import { fillMissingDays, measureText, sumMeasure } from "./usage.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [123_456_789, "123 MB"],
])("%p bytes are %p", (bytes, said) => {
  expect(sizeText(bytes)).toBe(said);
});

test.each([
  [12, "12 ms"],
  [2_140, "2.1 s"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
])("%p milliseconds are %p", (ms, said) => {
  expect(durationText(ms)).toBe(said);
});

test.each([
  [0, "$0.00"],
  [0.00423, "$0.0042"],
  [1.5, "$1.50"],
  [12_345.6, "$12,346"],
])("%p dollars are %p", (usd, said) => {
  expect(costText(usd)).toBe(said);
});

test("a moment is shown by how long ago it is", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  const said = ["11:59:50", "11:55:00", "09:00:00"].map((time) => agoText(`2026-11-25T${time}Z`, now));
  expect(said).toEqual(["just now", "5 min ago", "3 h ago"]);
});

test("of a filled form, only changed fields are sent", () => {
  const before = { cron: "0 9 * * *", parts: [{ type: "text", text: "hello" }] };
  expect(changedFields(before, structuredClone(before))).toBeUndefined();
  expect(changedFields<object>(before, { ...before, name: "daily" })).toEqual({ name: "daily" });
  expect(changedFields(before, { ...before, parts: [] })).toEqual({ parts: [] });
});

test("phases are in the order of a turn, unknown ones last", () => {
  const phases = listPhases({ later_ms: 1, save_ms: 4, queue_ms: 2, agent_ms: 3, attempts: 7 });
  expect(phases.map(({ name }) => name)).toEqual(["queue_ms", "agent_ms", "save_ms", "later_ms"]);
});

test("a message that waits says why", () => {
  const record = (fields: Partial<MessageRecord>) =>
    ({ status: "queued", waiting_reason: null, ...fields }) as MessageRecord;
  expect(waitText(record({ waiting_reason: "build" }))).toBe("its version is being built");
  expect(waitText(record({}))).toContain("slot");
  expect(waitText(record({ status: "running" }))).toBeUndefined();
});

test("an address is read as the path below /console, also a broken one", () => {
  const { path, query } = readRoute("/console/sessions/a%20b/%E0%A4%A?status=idle");
  expect([path, query.get("status")]).toEqual([["sessions", "a b", "%E0%A4%A"], "idle"]);
  expect(readRoute("/console").path).toEqual([]);
});

test("a diff's headings do not count as changes", () => {
  const first = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n--- a rule\n same\n";
  const second = "diff --git a/b c.txt b/b c.txt\ndeleted file mode 100644\n";
  const files = readDiff(first + second);
  expect(files).toMatchObject([
    { name: "x", added: 1, removed: 2 },
    { name: "b c.txt", added: 0, removed: 0 },
  ]);
  const kinds = files.map(({ lines }) => lines.map(({ kind }) => kind));
  expect(kinds).toEqual([["hunk", "removed", "added", "removed", "kept"], ["file"]]);
});

test.each([
  [20_000, "in a moment"],
  [1_800_000, "in 30 min"],
  [7_200_000, "in 2 h"],
])("a moment in %p milliseconds is shown as in the future", (ms, said) => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  expect(agoText(new Date(now + ms).toISOString(), now)).toBe(said);
});

test("an id is cut in its middle, a short name is not", () => {
  expect(shortId("sess_01jx5m0k8c3f7q2v9t4w6y8z1a")).toBe("sess_…6y8z1a");
  expect([shortId("wrk_local"), shortId("webhook.test")]).toEqual(["wrk_local", "webhook.test"]);
});

test.each([
  [12_345, "12,345"],
  [3_456_789, "3.5M"],
])("%p is counted as %p", (count, said) => {
  expect(countText(count)).toBe(said);
});

describe("a timeline", () => {
  const record = (fields: Partial<MessageRecord>) =>
    ({
      attempt: 1,
      created_at: "2026-11-25T12:00:00.000Z",
      completed_at: "2026-11-25T12:00:01.000Z",
      timings: { queue_ms: 100, agent_ms: 600, save_ms: 200 },
      ...fields,
    }) as MessageRecord;
  const shown = (of: MessageRecord) => buildTimeline(of).phases.map(({ name, ms, startMs }) => [name, startMs, ms]);

  test("places phases one after the other, and ends with the commit", () => {
    const single = [
      ["queue_ms", 0, 100],
      ["agent_ms", 100, 600],
      ["save_ms", 700, 200],
      ["commit", 900, 100],
    ];
    expect(shown(record({}))).toEqual(single);
    expect(buildTimeline(record({})).totalMs).toBe(1_000);
  });

  test("of a message that was tried again has the earlier attempts before the last one's phases", () => {
    expect(shown(record({ attempt: 2 }))[1]).toEqual(["earlier", 100, 100]);
  });

  test("of a message that was tried again has the commit after the last attempt, if its start is known", () => {
    const attempts = [{ startedAt: "2026-11-25T12:00:00.010Z" }, { startedAt: "2026-11-25T12:00:00.180Z" }];
    const phases = buildTimeline(record({ attempt: 2 }), attempts).phases.map(({ name, startMs, ms }) => [
      name,
      startMs,
      ms,
    ]);
    expect(phases).toEqual([
      ["queue_ms", 0, 100],
      ["earlier", 100, 80],
      ["agent_ms", 180, 600],
      ["save_ms", 780, 200],
      ["commit", 980, 20],
    ]);
  });

  test("of a message that waited for a person has that wait, and not in the commit", () => {
    const inputs = [
      { requested_at: "2026-11-25T12:00:00.200Z", ended_at: "2026-11-27T12:00:00.200Z" },
      { requested_at: "2026-11-27T12:00:00.300Z", ended_at: "2026-11-27T12:00:00.350Z" },
    ] as NonNullable<MessageRecord["inputs"]>;
    const twoDays = 2 * 86_400_000;
    const waited = record({ inputs, completed_at: "2026-11-27T12:00:01.050Z" });
    expect(shown(waited)).toEqual([
      ["queue_ms", 0, 100],
      ["earlier", 100, 100],
      ["input_wait", 200, twoDays + 50],
      ["agent_ms", twoDays + 250, 600],
      ["save_ms", twoDays + 850, 200],
    ]);
    expect(buildTimeline(waited).phases.find(({ name }) => name === "input_wait")?.label).toBe("waited for an answer");
    // A message that still waits has no measured phases.
    const open = [inputs[0]!].map((input) => ({ ...input, ended_at: null }));
    const names = shown(record({ inputs: open, completed_at: null })).map(([name]) => name);
    expect(names).toEqual(["queue_ms", "agent_ms", "save_ms"]);
  });

  test("of a running attempt has the time before it, and its own so far", () => {
    const running = record({ timings: {}, completed_at: null });
    const now = Date.parse("2026-11-25T12:00:05.000Z");
    const first = { startedAt: "2026-11-25T12:00:02.000Z" };
    const shownWith = (attempts: readonly { startedAt: string; endedAt?: string }[]) =>
      buildTimeline(running, attempts, now).phases.map(({ name, ms }) => [name, ms]);
    expect(shownWith([first])).toEqual([
      ["queue_ms", 2_000],
      ["agent_ms", 3_000],
    ]);
    const failed = { ...first, endedAt: "2026-11-25T12:00:03.000Z" };
    expect(shownWith([failed, { startedAt: "2026-11-25T12:00:04.000Z" }])).toEqual([
      ["earlier", 4_000],
      ["agent_ms", 1_000],
    ]);
    expect(shownWith([failed])).toEqual([]);
  });

  test("without a measured phase is empty", () => {
    expect(shown(record({ timings: {}, completed_at: null }))).toEqual([]);
  });
});

test("every day of a span is listed, also days without usage", () => {
  const metered = { metered_requests: 2, metered_tokens: 3, metered_cost_microusd: 1_500, unpriced_requests: 1 };
  const used = { messages: 1, failed: 0, turns: 2, turn_seconds: 3, tokens: 4, ...metered };
  const days = [{ date: "2026-11-24", ...used }];
  const shown = fillMissingDays({ days }, 3, Date.parse("2026-11-25T00:00:00Z"));
  expect(shown.map(({ date, turns }) => [date, turns])).toEqual([
    ["2026-11-23", 0],
    ["2026-11-24", 2],
    ["2026-11-25", 0],
  ]);
  expect(sumMeasure({ days }, "tokens")).toBe(4);
  expect(sumMeasure({ days: shown }, "metered_cost_microusd")).toBe(1_500);
  expect(measureText("metered_cost_microusd", null)).toBe("–");
  expect(measureText("metered_cost_microusd", 1_500)).toBe("$0.0015");
});

describe("what an agent asks for", () => {
  const schema = {
    type: "object",
    required: ["sure", "why"],
    properties: {
      sure: { type: "boolean", title: "Sure?" },
      why: { type: "string" },
      amount: { type: "number" },
      speed: { enum: ["slow", "fast"] },
    },
  };

  test("is a form if its schema is flat, and the answer has the entered values", () => {
    const fields = answerFields(schema) ?? [];
    expect(fields.map(({ label, kind }) => [label, kind])).toEqual([
      ["Sure?", "yes_no"],
      ["why", "text"],
      ["amount", "number"],
      ["speed", "choice"],
    ]);
    expect(buildAnswer(fields, { sure: "no", speed: "fast" })).toEqual({ sure: false, why: "", speed: "fast" });
    expect(buildAnswer(fields, { sure: "yes", amount: "1.5" })).toEqual({ sure: true, why: "", amount: 1.5 });
  });

  test("begins with the defaults of its schema, which can be cleared", () => {
    const fields = answerFields({ type: "object", properties: { requests: { type: "integer", default: 6 } } }) ?? [];
    expect(fields.map(({ initial }) => initial)).toEqual(["6"]);
    expect(buildAnswer(fields, {})).toEqual({ requests: 6 });
    expect(buildAnswer(fields, { requests: "" })).toEqual({});
  });

  test.each([
    { type: "boolean" },
    { type: "object" },
    { type: "object", properties: { inner: { type: "object" } } },
    { type: "object", properties: { odd: { enum: [1, null] } } },
  ])("is written as JSON if it is %j", (other) => {
    expect(answerFields(other)).toBeUndefined();
  });
});

test("an answer's words are shown in one line, without the marks of Markdown", () => {
  expect(plainText("## Result\n\nThere are **36 records**, see `a.csv`.\n\n- [x] done\n1. first")).toBe(
    "Result There are 36 records, see a.csv. done first",
  );
  expect(plainText("| a | b |\n| --- | ---: |\n| 1 | 2 |")).toBe("a b 1 2");
});

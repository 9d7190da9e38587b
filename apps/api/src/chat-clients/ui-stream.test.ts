// Turns as UI message streams of the package `ai`.

import type { StreamItem } from "@dari/control/outbound";
import { expect, test } from "@jest/globals";
import { FoldedMessage } from "./fold-chunks.ts";
import {
  accepted,
  answered,
  answerId,
  asking,
  askingAtLimit,
  cancelled,
  completed,
  ended,
  event,
  failed,
  inTurnOf,
  messageId,
  preview,
  requested,
  returned,
  started,
} from "../../tests/shown-turn.ts";
import type { UiChunk } from "./ui-chunks.ts";
import { UiStream } from "./ui-stream.ts";

interface Options {
  readonly version?: number;
  readonly afterInput?: string;
}

/** Returns the chunks of a stream, without its last line. */
function stream(items: readonly StreamItem[], { version = 7, afterInput }: Options = {}): UiChunk[] {
  const after = afterInput === undefined ? undefined : inputId(afterInput);
  const ui = new UiStream({ messageId, version, afterInput: after });
  let text = "";
  for (const item of items) {
    if (ui.isOver) break;
    text += ui.render(item);
  }
  const lines = (text + ui.finish()).split("\n\n").filter((line) => line !== "");
  expect(lines.pop()).toBe("data: [DONE]");
  return lines.map((line) => JSON.parse(line.replace(/^data: /, "")) as UiChunk);
}

const typesOf = (chunks: readonly UiChunk[]) => chunks.map(({ type }) => type);
const inputId = (key: string) => `${messageId}:${key}`;

function fold(chunks: readonly UiChunk[]) {
  const folded = new FoldedMessage();
  for (const chunk of chunks) folded.take(chunk);
  return folded.render(answerId);
}

test("text that is previewed, a call and the answer are one message with one step", () => {
  const chunks = stream([
    accepted,
    started,
    preview("reasoning.delta", { ordinal: 1, text: "hm" }),
    event("reasoning.completed", { text: "hm, well" }),
    preview("tool.arguments_delta", { call_id: "c1", name: "refund", text: '{"eur":' }),
    requested("c1"),
    returned("c1", { ok: 1 }),
    preview("assistant.text_delta", { text: "do", offset: 0, ordinal: 2 }),
    ...completed("done", "/output/a chart.png"),
  ]);
  const call = {
    toolCallId: expect.stringMatching(/^call_/),
    toolName: "refund",
    dynamic: true,
    providerExecuted: true,
  };
  const url = "/v1/sessions/sess_01jx5m0k8c3f7q2v9t4w6y8z1a/files/content?path=%2Foutput%2Fa%20chart.png";
  expect(chunks).toMatchObject([
    { type: "start", messageId: answerId, messageMetadata: { message_id: messageId } },
    { type: "start-step" },
    { type: "reasoning-start" },
    { type: "reasoning-delta", delta: "hm" },
    { type: "reasoning-delta", delta: ", well" },
    { type: "reasoning-end" },
    { type: "tool-input-start", ...call },
    { type: "tool-input-delta", inputTextDelta: '{"eur":' },
    { type: "tool-input-delta", inputTextDelta: "80}" },
    { type: "tool-input-available", ...call, input: { eur: 80 }, providerMetadata: { dari: { call_id: "c1" } } },
    { type: "tool-output-available", output: { ok: 1 } },
    { type: "text-start" },
    { type: "text-delta", delta: "do" },
    { type: "text-delta", delta: "ne" },
    { type: "file", url, mediaType: "image/png" },
    { type: "text-end" },
    { type: "finish-step" },
    { type: "finish", messageMetadata: { status: "completed", usage: { input_tokens: 7 } } },
  ]);
  const ids = chunks.filter(({ type }) => type.startsWith("tool-")).map(({ toolCallId }) => toolCallId);
  expect(new Set(ids).size).toBe(1);
  expect(fold(chunks)).toMatchObject({
    id: answerId,
    parts: [
      { type: "step-start" },
      { type: "reasoning", text: "hm, well" },
      { type: "dynamic-tool", state: "output-available", input: { eur: 80 }, output: { ok: 1 } },
      { type: "text", text: "done" },
      { type: "file", url },
    ],
  });
});

test("an answer without text has no text part; an empty turn has no step", () => {
  expect(typesOf(stream([accepted, started, ...completed("")]))).toEqual(["start", "finish"]);
  expect(typesOf(stream([accepted, started, ...completed("", "/a.txt")]))).toEqual([
    "start",
    "start-step",
    "file",
    "finish-step",
    "finish",
  ]);
});

test("failures, cancellations and cut streams end as the package expects", () => {
  expect(stream([accepted, started, ...failed()])).toMatchObject([
    { type: "start" },
    { type: "message-metadata", messageMetadata: { status: "failed", error: { code: "timeout" } } },
    { type: "error", errorText: "timeout: the turn took too long" },
  ]);
  const stopped = stream([accepted, started, requested("c1"), ...cancelled()]);
  expect(typesOf(stopped).slice(-4)).toEqual(["tool-output-error", "finish-step", "message-metadata", "abort"]);
  expect(stream([accepted, started]).at(-1)).toMatchObject({
    type: "error",
    errorText: expect.stringContaining("the stream was cut before the end of the turn"),
  });
  expect(fold(stream([accepted, ...failed()]))).toMatchObject({ metadata: { error: { code: "timeout" } }, parts: [] });
});

test("a repeated attempt is dropped by version 7, and marked for the others", () => {
  const repeated = [
    accepted,
    started,
    event("assistant.message", { text: "old" }),
    ended("retry"),
    started,
    ...completed("new"),
  ];
  const chunks = stream(repeated);
  expect(typesOf(chunks)).toContain("reset-step");
  const marked = stream(repeated, { version: 6 });
  expect(typesOf(marked)).not.toContain("reset-step");
  expect(marked).toContainEqual({ type: "data-dari-attempt-repeated", data: { outcome: "retry" } });
  for (const shown of [chunks, marked]) {
    expect(fold(shown)?.parts.filter(({ type }) => type === "text")).toMatchObject([{ text: "new" }]);
  }
  // Nothing was shown, so nothing of an earlier step is dropped.
  expect(typesOf(stream([accepted, started, ended("retry"), started, ...completed("x")]))).not.toContain("reset-step");
});

test("a question is a step of its own, and the client's answer continues the message", () => {
  const key = "approve-c.1-0123456789abcdef";
  const before = [accepted, started, requested("c.1"), requested("c2"), ...asking(key)];
  const chunks = stream(before);
  const [call] = chunks.filter(({ type }) => type === "tool-input-available");
  expect(chunks.slice(-6)).toMatchObject([
    { type: "finish-step" },
    { type: "start-step" },
    {
      type: "tool-input-available",
      toolCallId: inputId(key),
      toolName: "request_input",
      input: { prompt: "Refund 80 EUR?", call: { toolCallId: call?.["toolCallId"], toolName: "refund" } },
      providerExecuted: true,
    },
    { type: "tool-approval-request", approvalId: inputId(key), toolCallId: inputId(key) },
    { type: "finish-step" },
    { type: "finish", messageMetadata: { status: "waiting_for_input" } },
  ]);
  const after = [...before, ...answered(key, { approved: true }), started, returned("c.1", "refunded")];
  expect(stream([...after, ...completed("It is done.")], { afterInput: key })).toMatchObject([
    { type: "start", messageId: answerId },
    { type: "tool-output-available", toolCallId: inputId(key), output: { approved: true } },
    { type: "tool-output-available", toolCallId: call?.["toolCallId"], output: "refunded" },
    { type: "start-step" },
    { type: "text-start" },
    { type: "text-delta" },
    { type: "text-end" },
    // The other call has no result.
    { type: "tool-output-error" },
    { type: "finish-step" },
    { type: "finish" },
  ]);
  const refused = [...before, ...answered(key, { approved: false, reason: "no" }), started, ...completed("ok")];
  expect(typesOf(stream(refused, { afterInput: key })).slice(0, 2)).toEqual(["start", "tool-output-denied"]);
});

test.each([6, 7])("at a limit, the run before the question is dropped, and the question stays (%i)", (version) => {
  const key = "dari:budget-1";
  const before = [accepted, started, event("assistant.message", { text: "old" }), ...askingAtLimit(key)];
  const chunks = stream(before, { version });
  const types = typesOf(chunks);
  const reset = types.indexOf(version === 7 ? "reset-step" : "data-dari-attempt-repeated");
  expect(reset).toBeGreaterThan(0);
  expect(types.slice(reset + 1)).toEqual([
    ...["finish-step", "start-step", "tool-input-available", "tool-approval-request", "finish-step", "finish"],
  ]);
  expect(chunks.at(-4)).toMatchObject({ toolCallId: inputId(key), input: { type: "budget", budget: { needed: 4 } } });
  // A wait that is over is not shown again.
  const whole = [...before.slice(0, -1), ...answered(key, { approved: true }), started, ...completed("new")];
  expect(fold(stream(whole, { version }))?.parts.filter(({ type }) => type !== "step-start")).toMatchObject([
    { type: "dynamic-tool", state: "output-available", output: { approved: true } },
    { type: "text", text: "new" },
  ]);
});

test("a question is a call of request_input: an approval, or one that the client answers", () => {
  const schema = { type: "object", properties: { city: { type: "string" } } };
  for (const [asked, version] of [
    [schema, 7],
    // Version 5 has no approvals.
    [undefined, 5],
  ] as const) {
    const chunks = stream([accepted, started, ...asking("city", asked)], { version });
    expect(typesOf(chunks)).not.toContain("tool-approval-request");
    const call = chunks.find(({ type }) => type === "tool-input-available");
    expect(call).toMatchObject({ toolCallId: inputId("city"), toolName: "request_input", dynamic: true });
    expect(call).not.toHaveProperty("providerExecuted");
  }
});

test("a message that ends after an answer without showing anything has no answer in its last step", () => {
  const items = [accepted, started, ...asking("x"), ...answered("x", { approved: true }), started];
  for (const ending of [completed(""), cancelled()]) {
    const types = typesOf(stream([...items, ...ending], { afterInput: "x" }));
    expect(types.lastIndexOf("start-step")).toBeGreaterThan(types.indexOf("tool-output-available"));
  }
});

test("a schema that only looks like a decision is not an approval", () => {
  for (const schema of [
    { properties: { approved: { type: "boolean" } }, required: ["approved"] },
    { type: "object", properties: { approved: { type: "boolean" } } },
    { type: "object", properties: { approved: true }, required: ["approved"] },
    { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved", "amount"] },
  ]) {
    const items = [accepted, started, ...asking("x", schema), ...answered("x", null), started, ...completed("ok")];
    expect(typesOf(stream(items))).not.toContain("tool-approval-request");
    expect(typesOf(stream(items, { afterInput: "x" })).slice(0, 2)).toEqual(["start", "tool-output-available"]);
  }
});

test("events of the agent and of the platform are data parts", () => {
  const chunks = stream([
    accepted,
    started,
    event("agent.event", { name: "half", data: { done: 0.5 } }),
    event("plan.updated", { items: [{ text: "look", status: "pending" }] }),
    event("model.request_started", { ordinal: 1 }),
    ...completed("x"),
  ]);
  expect(chunks.filter(({ type }) => type.startsWith("data-"))).toEqual([
    { type: "data-half", data: { done: 0.5 } },
    { type: "data-dari-plan-updated", data: { items: [{ text: "look", status: "pending" }] } },
  ]);
});

test("a message that another turn answers does not end its stream", () => {
  const merged = event("message.completed", { id: messageId, status: "completed", output: null, merged_into: "msg_2" });
  expect(typesOf(stream([accepted, merged, started, ...completed("both")]))).toContain("finish");
});

test("a question that the turn of another message asks has the id of that message", () => {
  const into = "msg_01jx5m0k8c3f7q2v9t4w6y8z1b";
  const merged = event("message.completed", { id: messageId, status: "completed", output: null, merged_into: into });
  const chunks = stream([accepted, merged, ...inTurnOf(into, [started, ...asking("x")])]);
  expect(chunks).toContainEqual({ type: "tool-approval-request", approvalId: `${into}:x`, toolCallId: `${into}:x` });
});

test("text and reasoning that are open at a question end with its step", () => {
  const text = (delta: string, offset: number) => preview("assistant.text_delta", { text: delta, offset, ordinal: 2 });
  const [asked, ...suspended] = asking("x");
  const chunks = stream([
    accepted,
    started,
    preview("reasoning.delta", { ordinal: 1, text: "hm" }),
    text("Let me", 0),
    asked!,
    text(" check. ", 6),
    ...suspended,
  ]);
  expect(typesOf(chunks)).toEqual([
    "start",
    "start-step",
    "reasoning-start",
    "reasoning-delta",
    "text-start",
    "text-delta",
    "reasoning-end",
    "text-end",
    "finish-step",
    "start-step",
    "tool-input-available",
    "tool-approval-request",
    "finish-step",
    "finish",
  ]);
});

test("an agent cannot emit what the platform says", () => {
  const name = "dari-attempt-repeated";
  const chunks = stream([
    accepted,
    started,
    event("assistant.message", { text: "before" }),
    event("agent.event", { name, data: 1 }),
    ...completed("done"),
  ]);
  expect(chunks).toContainEqual({ type: `data-agent-${name}`, data: 1 });
  expect(fold(chunks)?.parts).toContainEqual(expect.objectContaining({ text: "before" }));
});

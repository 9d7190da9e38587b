// Turns as runs of the AG-UI protocol.

import type { StreamItem } from "@dari/control/outbound";
import { expect, test } from "@jest/globals";
import { AgUiEvents, type AgUiEvent } from "./ag-ui-events.ts";
import { foldEvents } from "./ag-ui-history.ts";
import { inputIdOf } from "./ids.ts";
import { TurnParts } from "./turn-parts.ts";
import {
  accepted,
  answered,
  asking,
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

const run = { threadId: "t", runId: "r" };

function encode(items: readonly StreamItem[], afterInput?: string): AgUiEvent[] {
  const parts = new TurnParts(messageId);
  const after = afterInput === undefined ? undefined : inputIdOf(messageId, afterInput);
  const events = new AgUiEvents({ run, messageId, afterInput: after });
  const shown: AgUiEvent[] = [];
  for (const item of items) {
    if (!events.isOver) shown.push(...parts.takeItem(item).flatMap((part) => events.encode(part)));
  }
  return shown;
}

const typesOf = (events: readonly AgUiEvent[]) => events.map(({ type }) => type);

test("a turn is a run with reasoning, a call with its result, text, a file and usage", () => {
  const events = encode([
    accepted,
    started,
    event("reasoning.completed", { text: "hm" }),
    preview("tool.arguments_delta", { call_id: "c1", name: "refund", text: '{"eur"' }),
    requested("c1"),
    returned("c1", { ok: 1 }),
    ...completed("done", "/a.txt"),
  ]);
  expect(typesOf(events)).toEqual([
    "REASONING_START",
    "REASONING_MESSAGE_START",
    "REASONING_MESSAGE_CONTENT",
    "REASONING_MESSAGE_END",
    "REASONING_END",
    "TOOL_CALL_START",
    "TOOL_CALL_ARGS",
    "TOOL_CALL_ARGS",
    "TOOL_CALL_END",
    "TOOL_CALL_RESULT",
    "TEXT_MESSAGE_START",
    "TEXT_MESSAGE_CONTENT",
    "CUSTOM",
    "TEXT_MESSAGE_END",
    "RUN_FINISHED",
  ]);
  expect(events.at(-1)).toEqual({
    type: "RUN_FINISHED",
    ...run,
    outcome: { type: "success" },
    result: { message_id: messageId },
    usage: [{ inputTokens: 7, outputTokens: 2 }],
  });
  expect(foldEvents(events)).toMatchObject([
    { role: "reasoning", content: "hm" },
    { role: "assistant", toolCalls: [{ type: "function", function: { name: "refund", arguments: '{"eur":80}' } }] },
    { role: "tool", content: '{"ok":1}' },
    { role: "assistant", content: "done" },
  ]);
});

test("a question interrupts the run, and the next run shows what follows the answer", () => {
  const key = "approve-c1-0123456789abcdef";
  const before = [accepted, started, requested("c1"), ...asking(key)];
  const [first, ...rest] = encode(before).toReversed();
  const call = rest.find(({ type }) => type === "TOOL_CALL_START");
  expect(first).toMatchObject({
    type: "RUN_FINISHED",
    outcome: {
      type: "interrupt",
      interrupts: [{ id: `${messageId}:${key}`, reason: "approval", toolCallId: call?.["toolCallId"] }],
    },
  });
  const after = [...before, ...answered(key, { approved: true }), started, returned("c1", "ok"), ...completed("done")];
  expect(typesOf(encode(after, key))).toEqual([
    "TOOL_CALL_RESULT",
    "TEXT_MESSAGE_START",
    "TEXT_MESSAGE_CONTENT",
    "TEXT_MESSAGE_END",
    "RUN_FINISHED",
  ]);
});

test("the next run does not begin at another message's input with the same key", () => {
  const other = [...asking("x"), ...answered("x", { approved: true }), event("assistant.message", { text: "other" })];
  const own = [...asking("x"), ...answered("x", { approved: true }), started, ...completed("done")];
  const shown = encode([accepted, ...inTurnOf("msg_01jx5m0k8c3f7q2v9t4w6y8z1b", other), started, ...own], "x");
  expect(foldEvents(shown)).toMatchObject([{ role: "assistant", content: "done" }]);
});

test("calls that are open when a run stops are closed, and do not go on in the next run", () => {
  const delta = preview("tool.arguments_delta", { call_id: "c9", name: "refund", text: "{" });
  const events = encode([accepted, started, delta, ...asking("x")]);
  expect(typesOf(events)).toEqual(["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "RUN_FINISHED"]);
  const more = [
    accepted,
    started,
    delta,
    ...asking("x"),
    ...answered("x", { approved: true }),
    started,
    requested("c9"),
  ];
  expect(typesOf(encode([...more, ...completed("ok")], "x"))).not.toContain("TOOL_CALL_ARGS");
});

test("a failed turn is an error, a cancelled one is cancelled", () => {
  expect(encode([accepted, started, ...failed()])).toEqual([
    { type: "RUN_ERROR", code: "timeout", message: "the turn took too long" },
  ]);
  expect(encode([accepted, ...cancelled()]).at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
});

test("events of the platform have names that events of the agent cannot have", () => {
  const events = encode([
    accepted,
    started,
    event("agent.event", { name: "half", data: 1 }),
    event("agent.event", { name: "dari.file", data: 2 }),
    event("plan.updated", { items: [] }),
    ended("retry"),
    ...completed("x", "/a.txt"),
  ]);
  expect(events.filter(({ type }) => type === "CUSTOM").map(({ name }) => name)).toEqual([
    "half",
    "agent-dari.file",
    "dari.plan.updated",
    "dari.attempt.repeated",
    "dari.file",
  ]);
});

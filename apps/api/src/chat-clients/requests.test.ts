// What requests of chat clients ask for.

import type { UiMessage } from "@dari/contract";
import { expect, test } from "@jest/globals";
import { abandonedIn, hasSameContent, readAgUiAction, readAgUiParts } from "./ag-ui-request.ts";
import { answerId, messageId } from "../../tests/shown-turn.ts";
import { readUiAction, readUiParts } from "./ui-request.ts";

const text = { type: "text", text: "hello" };
const user: UiMessage = { id: "u1", role: "user", parts: [text] };
const inputId = (key: string) => `${messageId}:${key}`;
const assistant = (...parts: UiMessage["parts"]): UiMessage => ({ id: answerId, role: "assistant", parts });
const step = { type: "step-start" };

test("the last message is sent, replaces, or is sent again", () => {
  const messages = [user, assistant(), { ...user, id: "u2" }];
  expect(readUiAction({ messages })).toMatchObject({ kind: "send", message: { id: "u2" }, path: "messages[2]" });
  expect(readUiAction({ messages, messageId: "u2" })).toMatchObject({
    kind: "replace",
    named: { messageId: undefined, afterMessageId: messageId, between: [] },
  });
  const own = { ...user, id: messageId };
  expect(readUiAction({ message: own, messageId })).toMatchObject({ kind: "replace", named: { messageId } });
  expect(readUiAction({ messages, trigger: "regenerate-message", messageId: answerId })).toEqual({
    kind: "regenerate",
    named: { messageId, afterMessageId: messageId, between: [], text: "hello", isNewest: true },
  });
  expect(readUiAction({ trigger: "regenerate-message" })).toEqual({
    kind: "regenerate",
    named: { messageId: undefined, afterMessageId: undefined, between: [], text: undefined, isNewest: true },
  });
  const steered = { ...user, id: "msg_01jx5m0k8c3f7q2v9t4w6y8z1b" };
  const unsure = [assistant(), user, steered, { ...user, id: "u2" }];
  expect(readUiAction({ messages: unsure, messageId: "u2" })).toMatchObject({
    named: { afterMessageId: messageId, between: [undefined, steered.id] },
  });
});

test("answers are those of the last step, also in an earlier message that is named", () => {
  const responded = (key: string, approved: boolean) => ({
    type: "dynamic-tool",
    toolCallId: "call_1",
    state: "approval-responded",
    approval: { id: inputId(key), approved, reason: "" },
  });
  const asked = { type: "tool-request_input", toolCallId: inputId("city"), state: "output-available", output: "Rome" };
  const message = assistant(step, responded("old", true), step, responded("a", false), asked);
  const action = readUiAction({ messages: [user, message, { ...user, id: "u2" }], messageId: answerId });
  expect(action).toMatchObject({
    kind: "answer",
    messageId,
    askedIn: messageId,
    answers: [
      { key: "a", value: { approved: false } },
      { key: "city", value: "Rome" },
    ],
  });
  const waiting = { ...asked, state: "input-available" };
  expect(() => readUiAction({ message: assistant(step, waiting) })).toThrow("message: expected a message of the role");
  const other = { ...asked, toolCallId: "msg_01jx5m0k8c3f7q2v9t4w6y8z1b:x" };
  expect(() => readUiAction({ message: assistant(asked, other) })).toThrow("answers to inputs of one message");
});

test("files are data URLs or uploads", () => {
  const parts = [
    text,
    { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA", filename: "a.png" },
    { type: "file", mediaType: "text/csv", url: "/v1/files/file_1/content" },
  ] as never;
  expect(readUiParts(parts, "message")).toEqual([
    text,
    { type: "image", filename: "a.png", contentType: "image/png", bytes: Buffer.alloc(3) },
    { type: "file", file_id: "file_1" },
  ]);
  const content = [
    { type: "text", text: "x" },
    { type: "image", source: { type: "data", value: "AAAA", mimeType: "image/png" } },
    { type: "document", source: { type: "file", value: "file_1" } },
  ] as never;
  expect(readAgUiParts(content)).toEqual([
    { type: "text", text: "x" },
    { type: "image", filename: "file.png", contentType: "image/png", bytes: Buffer.alloc(3) },
    { type: "file", file_id: "file_1" },
  ]);
});

test("a run sends, answers, abandons, shows or attaches", () => {
  const run = { threadId: "t", runId: "r" };
  const said = { id: "u1", role: "user", content: "hello" };
  const resume = (status: "resolved" | "cancelled", payload?: unknown) => [
    { interruptId: inputId("a"), status, ...(payload === undefined ? {} : { payload }) },
  ];
  expect(readAgUiAction({ ...run, messages: [said] })).toMatchObject({ kind: "send", message: said });
  expect(readAgUiAction({ ...run, messages: [] })).toEqual({ kind: "attach" });
  expect(readAgUiAction({ ...run, messages: [{ ...said, id: messageId }] })).toEqual({ kind: "show", messageId });
  expect(readAgUiAction({ ...run, messages: [said], resume: resume("resolved", { ok: true }) })).toMatchObject({
    kind: "answer",
    messageId,
    answers: [{ key: "a", value: { ok: true } }],
  });
  const abandoned = { ...run, messages: [said], resume: resume("cancelled") };
  expect([readAgUiAction(abandoned).kind, abandonedIn(abandoned)]).toEqual(["send", { messageId, key: "a" }]);
  const only = { ...run, messages: [{ id: "a1", role: "assistant" }], resume: resume("cancelled") };
  expect(readAgUiAction(only)).toEqual({ kind: "show", messageId });
});

test("a message has the same content if its texts and files are the same", () => {
  const file = { type: "file" as const, file_id: "file_1", filename: "a.txt" };
  const message = { parts: [{ type: "text" as const, text: "x" }, file] };
  const said = { type: "text" as const, text: "x" };
  const inline = (filename: string) => ({
    type: "file" as const,
    filename,
    contentType: "text/plain",
    bytes: Buffer.alloc(0),
  });
  expect(hasSameContent(message, [said, { type: "file", file_id: "file_1" }])).toBe(true);
  expect(hasSameContent(message, [said, inline("a.txt")])).toBe(true);
  for (const other of [
    [said],
    [said, inline("b.txt")],
    [said, { ...file, file_id: "file_2" }],
    [{ ...said, text: "y" }, inline("a.txt")],
    [inline("a.txt"), said],
  ]) {
    expect(hasSameContent(message, other)).toBe(false);
  }
});

// A turn as the chunks of a chat completion.

import type { EventRecord } from "@dari/contract";
import type { StreamItem } from "@dari/control/outbound";
import { expect, test } from "@jest/globals";
import { createChatStream } from "./chat-stream.ts";

const createdAt = "2026-11-25T01:07:00.000Z";
const session = { id: "sess_1", agent_id: "agt_1", version_id: "ver_1" };
const context = { messageId: "msg_1", session, createdAt };

const event = (type: string, data: object, messageId = "msg_1"): StreamItem => ({
  kind: "event",
  event: { sequence_number: 1, type, message_id: messageId, data } as unknown as EventRecord,
});
const delta = (text: string, offset: number, ordinal: number): StreamItem => ({
  kind: "preview",
  sessionId: "sess_1",
  preview: { type: "assistant.text_delta", messageId: "msg_1", attemptId: "att_1", data: { text, offset, ordinal } },
});

interface Chunk {
  readonly object?: string;
  readonly choices: readonly { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }[];
  readonly usage?: object | null;
}

function read(items: readonly StreamItem[], includesUsage = false) {
  const { render } = createChatStream(context, { includesUsage });
  const data = [
    ...items
      .map(render)
      .join("")
      .matchAll(/^data: (.*)\n\n/gm),
  ].map(([, text]) => text ?? "");
  const chunks = data.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text) as Chunk);
  const content = chunks.map(({ choices }) => choices?.[0]?.delta.content ?? "").join("");
  return { data, chunks, content };
}

const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
const end = event("message.completed", {
  status: "completed",
  output: { parts: [{ type: "text", text: "It is so." }], usage },
});

test("texts before calls and the answer are paragraphs, and the end is marked", () => {
  const { data, chunks, content } = read([
    event("user.message", { parts: [] }),
    delta("Let me", 0, 1),
    event("assistant.message", { text: "Let me look." }),
    event("tool.call_requested", { call_id: "c", name: "look", arguments: {} }),
    delta("It", 12, 2),
    end,
  ]);
  // The preview after the event does not continue what was streamed, so the answer comes whole.
  expect(content).toBe("Let me look.\n\nIt is so.");
  expect(chunks[0]).toMatchObject({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    model: "agt_1@ver_1",
    choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }],
  });
  expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
  expect(data.at(-1)).toBe("[DONE]");
  expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
});

test("an input that the turn waits for is a paragraph", () => {
  const { content } = read([
    event("user.message", { parts: [] }),
    delta("Let me ask.", 0, 1),
    event("input.requested", { key: "publish", prompt: "Publish it?", schema: {}, expires_at: createdAt }),
    event("attempt.ended", { outcome: "suspended" }),
    // The message has become part of another one, whose turn asks.
    event("input.requested", { key: "when", prompt: null, schema: {}, expires_at: createdAt }, "msg_2"),
    end,
  ]);
  expect(content.split("\n\n")).toEqual([
    "Let me ask.",
    'Waiting for the input "publish" of message msg_1: Publish it?',
    'Waiting for the input "when" of message msg_2.',
    "It is so.",
  ]);
});

test("usage is a chunk of its own if it is asked for", () => {
  const { chunks } = read([event("user.message", { parts: [] }), end], true);
  expect(chunks.at(-1)).toMatchObject({
    choices: [],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  });
  expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
});

test("a turn that fails ends the stream with an error", () => {
  const failed = { status: "failed", output: { parts: [], error: { code: "timeout", message: "too slow" } } };
  const { data } = read([event("user.message", { parts: [] }), event("message.failed", failed)]);
  expect(JSON.parse(data.at(-1) ?? "")).toEqual({
    error: { message: "timeout: too slow", type: "server_error", param: null, code: "timeout" },
  });
});

test("a stream without its last event ends with an error that names the message", () => {
  const stream = createChatStream(context, { includesUsage: false });
  stream.render(event("user.message", { parts: [] }));
  expect(stream.interrupt()).toContain('"code":"stream_interrupted"');
  expect(stream.interrupt()).toContain("msg_1");
  stream.render(end);
  expect(stream.interrupt()).toBe("");
});

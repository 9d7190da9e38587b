// Previews are sent in order, joined, and never delay the turn.

import { encodePreview, type Preview } from "@dari/domain";
import { expect, test } from "@jest/globals";
import { startPreviewSender } from "./send-previews.ts";

function start() {
  const sent: Preview[] = [];
  const previews = {
    send: (_sessionId: string, preview: Preview) => void sent.push(preview),
    follow: () => () => undefined,
    isFollowed: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
  const sender = startPreviewSender(previews, { sessionId: "sess_1", messageId: "msg_1", attemptId: "att_1" });
  return { sender, sent, dataOf: () => sent.map(({ data }) => data) };
}

test("pieces keep their order, and those of one kind become one", () => {
  const { sender, dataOf } = start();
  sender.delta("a");
  sender.delta("b");
  sender.log("stdout", "printed");
  sender.delta("c");
  sender.flush();
  expect(dataOf()).toEqual([
    { text: "ab", offset: 0 },
    { stream: "stdout", text: "printed" },
    { text: "c", offset: 2 },
  ]);
});

test("pieces of one message, reasoning or call become one, and say which it is", () => {
  const { sender, sent } = start();
  sender.piece({ type: "reasoning.delta", data: { ordinal: 1, text: "I " } });
  sender.piece({ type: "reasoning.delta", data: { ordinal: 1, text: "think" } });
  sender.delta("Let me ", 1);
  sender.delta("see.", 1);
  sender.piece({ type: "tool.arguments_delta", data: { call_id: "a", name: "add", text: '{"a":' } });
  sender.piece({ type: "tool.arguments_delta", data: { call_id: "a", name: "add", text: "1}" } });
  sender.piece({ type: "tool.arguments_delta", data: { call_id: "b", name: "add", text: "{}" } });
  sender.delta("Done", 2);
  sender.flush();
  expect(sent.map(({ type, data }) => ({ type, ...data }))).toEqual([
    { type: "reasoning.delta", ordinal: 1, text: "I think" },
    { type: "assistant.text_delta", text: "Let me see.", offset: 0, ordinal: 1 },
    { type: "tool.arguments_delta", call_id: "a", name: "add", text: '{"a":1}' },
    { type: "tool.arguments_delta", call_id: "b", name: "add", text: "{}" },
    { type: "assistant.text_delta", text: "Done", offset: 11, ordinal: 2 },
  ]);
});

test("a piece with the longest names, escaped, is within the limit of a preview", () => {
  const { sender, sent } = start();
  const [call_id, name, text] = ["\0", "\u0001", "\u0002"].map((unit, n) => unit.repeat(n === 2 ? 5_000 : 200));
  sender.piece({ type: "tool.arguments_delta", data: { call_id: call_id!, name: name!, text: text! } });
  sender.piece({ type: "reasoning.delta", data: { ordinal: 9_999, text: text! } });
  sender.flush();
  for (const type of ["tool.arguments_delta", "reasoning.delta"]) {
    const those = sent.filter((preview) => preview.type === type);
    expect(those.map(({ data }) => data["text"]).join("")).toBe(text);
    expect(those.map(encodePreview)).not.toContain(undefined);
  }
});

test("a surrogate pair is never cut", () => {
  const { sender, dataOf } = start();
  const text = `x${"😀".repeat(1_000)}`;
  sender.delta(text);
  sender.flush();
  const texts = dataOf().map((data) => String(data["text"]));
  expect(texts.length).toBeGreaterThan(1);
  expect(texts.every((piece) => piece.isWellFormed())).toBe(true);
  expect(texts.join("")).toBe(text);
});

test("of a flood only a part is shown, and offsets after it stay right", () => {
  const { sender, sent, dataOf } = start();
  const flood = "x".repeat(16 * 1024 * 1024);
  sender.delta(flood);
  sender.flush();
  expect(sent.length).toBeLessThan(200);
  sender.delta("after");
  sender.flush();
  expect(dataOf().at(-1)).toEqual({ text: "after", offset: flood.length });
});

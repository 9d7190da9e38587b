// Previews are sent in order, joined, and never delay the turn.

import type { Preview } from "@dari/domain";
import { expect, test } from "@jest/globals";
import { startPreviewSender } from "./send-previews.ts";

function start() {
  const sent: Preview[] = [];
  const previews = {
    send: (_sessionId: string, preview: Preview) => void sent.push(preview),
    follow: () => () => undefined,
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

// What a guest reports about calls that fail, are cancelled or have much to say.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { fileURLToPath } from "node:url";
import type { ReportFrame } from "../src/index.ts";
import { guestLimits } from "../src/guest-limits.ts";
import { runtimesOfThisRun, play } from "./guest-fixture.ts";

describe.each(runtimesOfThisRun())("$title", (runtime) => {
  const isNode = runtime.language === "typescript";

  async function completedOf(name: string): Promise<object[]> {
    const { ending, frames } = await play(runtime, name);
    expect(ending).toEqual({ kind: "completed", parts: [{ type: "text", text: "done" }] });
    return frames.flatMap((frame) =>
      frame.t === "activity" && frame.type === "tool.call_completed" ? [frame.data as object] : [],
    );
  }

  test("a large error of a call is cut as other results are", async () => {
    const prefix = isNode ? "Error: " : "ValueError: ";
    const [completed] = await completedOf("failsAtLength");
    expect(completed).toMatchObject({
      result: expect.stringMatching(new RegExp(`^${prefix}x{${limits.activityValueBytes - prefix.length}}$`)),
      result_bytes: prefix.length + 20_000,
      is_error: true,
    });
  });

  test("binary parts are sent beside the event, which describes them", async () => {
    const { frames } = await play(runtime, "showsBinary");
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452ff", "hex");
    const sent = frames.flatMap((frame) => (frame.t === "value" ? [frame] : []));
    expect(sent.map(({ mediaType, bytes }) => [mediaType, bytes])).toEqual([
      ...Array.from({ length: 5 }, () => ["image/png", png]),
      ["audio/wav", png],
      ["image/png", png],
    ]);
    const part = (at: number, type = "image", media_type = "image/png") => {
      return { type, media_type, size_bytes: png.length, value_id: sent[at]!.id };
    };
    const shown = frames.flatMap((frame) =>
      frame.t === "activity" && frame.type === "tool.call_completed"
        ? [(frame.data as { result: unknown }).result]
        : [],
    );
    expect(shown).toEqual([
      [{ type: "text", text: "seen" }, part(0)],
      [part(1)],
      part(2),
      part(3),
      { title: "Plan", chart: part(4) },
      { content: [part(5, "audio", "audio/wav")] },
      part(6),
      { mimeType: "text/plain", data: "aGk=" },
    ]);
  });

  test("large values are sent whole, up to the limits of one and of an attempt", async () => {
    const { ending, frames } = await play(runtime, "sendsMuch");
    expect(ending).toMatchObject({ kind: "completed" });
    const sent = frames.flatMap((frame) => (frame.t === "value" ? [frame] : []));
    expect(sent.map(({ mediaType, bytes }) => [mediaType, bytes.length])).toEqual(
      Array.from({ length: 8 }, () => ["text/plain", limits.valueBytes]),
    );
    const ids = frames.flatMap((frame) =>
      frame.t === "activity" && frame.type === "tool.call_completed"
        ? [(frame.data as { result_value_id?: string }).result_value_id]
        : [],
    );
    expect(ids).toEqual([...sent.map(({ id }) => id), undefined, undefined]);
  });

  test("names and errors are cut at their limits and stay valid Unicode", async () => {
    const { ending } = await play(runtime, "cutsTexts");
    const part = ending.kind === "completed" ? ending.parts[0] : undefined;
    const { name, error } = JSON.parse(part?.type === "text" ? part.text : "null") as Record<string, string>;
    expect(name).toBe(`${"x".repeat(limits.nameChars - 1)}\uFFFD`);
    expect(error).toHaveLength(limits.activityErrorChars);
    expect(error).toMatch(/xx\uFFFD$/);
  });

  if (isNode) {
    test("a crash after too many events is reported with its error", async () => {
      let pid = 0;
      const counts: number[] = [];
      const onFrame = (frame: ReportFrame): void => {
        if (frame.t === "event") pid = Number(frame.data);
        if (frame.t !== "omitted") return;
        counts.push(frame.count);
        // The agent reports nothing more before it crashes.
        if (frame.count === 16) process.kill(pid, "SIGUSR2");
      };
      const { ending } = await play(runtime, "crashesAfterTooManyTools", { onFrame });
      const message = expect.stringContaining("RangeError: no such luck");
      expect(ending).toMatchObject({ kind: "failed", failure: { code: "agent_error", message } });
      expect(counts.at(-1)).toBe(20);
    });
  } else {
    test("a call that is cancelled before its first step is completed with its error", async () => {
      const completed = await completedOf("cancelsBeforeFirstStep");
      const cancelled = { result: expect.stringMatching(/^CancelledError/), is_error: true };
      expect(completed).toMatchObject([
        { name: "forgotten", result: "the call was not awaited to its end", is_error: true },
        { name: "hang", ...cancelled },
        { name: "future", ...cancelled },
      ]);
    });

    test("previews are sent up to their limit", async () => {
      const { ending, frames } = await play(runtime, "showsPieces");
      expect(ending).toMatchObject({ kind: "completed" });
      expect(frames.slice(0, 2)).toEqual([
        { t: "preview", type: "reasoning.delta", data: { ordinal: 1, text: "I think\uFFFD" } },
        { t: "preview", type: "tool.arguments_delta", data: { call_id: "a", name: "add", text: "{}" } },
      ]);
      const shown = frames.reduce((sum, frame) => sum + (frame.t === "preview" ? frame.data.text.length : 0), 0);
      expect(shown).toBeGreaterThan(0.9 * limits.activityPreviewBytes);
      expect(shown).toBeLessThan(limits.activityPreviewBytes);
    });

    test("a call that is cancelled is completed with its error", async () => {
      const [completed] = await completedOf("cancelsTool");
      expect(completed).toMatchObject({
        name: "hang",
        result: expect.stringMatching(/^CancelledError/),
        is_error: true,
      });
    });
  }
});

test("a Node guest sends previews up to their limit, and only those that say whose they are", async () => {
  const frames: { type: string; data: { text: string } }[] = [];
  const send = async (frame: (typeof frames)[number]): Promise<void> => void frames.push(frame);
  const file = fileURLToPath(new URL("../guest/node/activity.mjs", import.meta.url));
  const { createActivity } = (await import(file)) as {
    createActivity(limits: object, channel: object): { preview(type: string, data: object): Promise<void> };
  };
  const { preview } = createActivity(guestLimits, { send });
  await preview("reasoning.delta", { ordinal: undefined, text: "I" });
  await preview("tool.arguments_delta", { call_id: "a", name: "add" });
  expect(frames).toEqual([]);
  await preview("tool.arguments_delta", { call_id: "a", name: "add", text: "{}" });
  expect(frames).toEqual([
    { t: "preview", type: "tool.arguments_delta", data: { call_id: "a", name: "add", text: "{}" } },
  ]);
  for (let i = 0; i < 200; i++) await preview("reasoning.delta", { ordinal: 1, text: "x".repeat(100_000) });
  const bytes = frames.reduce((sum, { data }) => sum + Buffer.byteLength(JSON.stringify(data)), 0);
  expect(bytes).toBeGreaterThan(0.9 * limits.activityPreviewBytes);
  expect(bytes).toBeLessThanOrEqual(limits.activityPreviewBytes);
});

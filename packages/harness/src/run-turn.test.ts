// What a guest may send, and when: everything else is a failure of the agent, never of the platform.

import { expect, test } from "@jest/globals";
import { limits, stepLimits } from "@dari/domain";
import { duplexPair } from "node:stream";
import type { RecordedStep } from "./protocol.ts";
import { waitForGuest } from "./preload-agent.ts";
import { runTurn, type ReportFrame, type RunTurnOptions, type TurnEnding, type TurnInbox } from "./run-turn.ts";

/** Runs a turn whose guest sends these lines, collects `heard`, and sends `lastLine` when it must stop. */
async function endingAfter(
  lines: readonly string[],
  {
    lastLine,
    heard = [],
    steps = [],
    ...o
  }: Partial<RunTurnOptions> & { lastLine?: string; heard?: string[]; steps?: readonly RecordedStep[] } = {},
): Promise<TurnEnding> {
  const [channel, guest] = duplexPair();
  guest.on("data", (frame: Buffer) => {
    heard.push(...(frame.toString().match(/"t":"[a-z]+"/g) ?? []));
    if (lastLine !== undefined && frame.includes('"t":"cancel"')) guest.write(`${lastLine}\n`);
  });
  for (const line of lines) guest.write(`${line}\n`);
  try {
    return await runTurn({
      channel,
      exited: new Promise(() => {}),
      request: {
        entry: { file: "agent.mjs", export: "agent" },
        imageDir: "/agent",
        workspace: "/workspace",
        sdk: "pi",
        prompt: "",
        context: {
          sessionId: "sess_1",
          messageId: "msg_1",
          attempt: 1,
          parts: [],
          metadata: {},
          history: [],
          operationKey: "op_1",
          traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
          answers: {},
          steps,
        },
      },
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame: () => {},
      ...o,
    });
  } finally {
    // The guest's end gets what was written.
    await new Promise(setImmediate);
    channel.destroy();
  }
}

const started = ['{"t":"ready","protocol":1,"runtime":"node"}', '{"t":"started"}'];
const nested = (levels: number): string => `{"t":"event","name":"a","data":${"[".repeat(levels)}${"]".repeat(levels)}}`;
/** Python writes these characters as six. */
const items = Array(limits.planItems).fill({ text: "\\u0436".repeat(limits.planItemChars), status: "pending" });
const plan = JSON.stringify({ t: "activity", type: "plan.updated", data: { items } }).replaceAll("\\\\", "\\");
const activity = (text: string): string =>
  JSON.stringify({ t: "activity", type: "reasoning.completed", data: { text } });
const preview = (text: string): string =>
  JSON.stringify({ t: "preview", type: "reasoning.delta", data: { ordinal: 1, text } });
const value = (base64: string, id = `val_${"0".repeat(26)}`, media_type = "text/plain"): string =>
  JSON.stringify({ t: "value", id, media_type, base64 });
const step = (json: unknown, name: unknown = "a", ordinal: unknown = 1): string =>
  JSON.stringify({ t: "step", name, ordinal, json });
const largeStep = (ordinal: number): string =>
  step(JSON.stringify("x".repeat(stepLimits.resultBytes - 2)), "a", ordinal);
const result = '{"t":"result","parts":[]}';
const oneMore = (count: number): number[] => Array.from({ length: count + 1 }, (_, at) => at + 1);
const completed = { kind: "completed", parts: [] };
const agentError = (message: RegExp) => ({
  kind: "failed",
  failure: { code: "agent_error", message: expect.stringMatching(message) },
});

test.each([
  ["a deep event before the call", [nested(200_000)], agentError(/nested deeper than 128 levels/)],
  ["a deep event", [...started, nested(200_000)], agentError(/nested deeper than 128 levels/)],
  ["an event one level too deep", [...started, nested(128), result], agentError(/nested deeper than 128 levels/)],
  ["an event that is deep enough", [...started, nested(127), result], completed],
  ["an event before the call", [nested(1)], agentError(/spoke before it was called/)],
  ["text before the call", ['{"t":"delta","text":"a"}'], agentError(/spoke before it was called/)],
  ["a result before the call", [result], agentError(/spoke before it was called/)],
  ["activity before the call", [activity("x")], agentError(/spoke before it was called/)],
  ["taking messages before the call", ['{"t":"take"}'], agentError(/spoke before it was called/)],
  ["taking messages without a hint", [...started, '{"t":"take"}'], agentError(/no message waits: use context.inbox/)],
  ["activity", [...started, activity("x".repeat(20_000)), result], completed],
  ["the largest plan, in escapes", [...started, plan, result], completed],
  ["large activity", [...started, activity("x".repeat(200_000))], agentError(/reported more than a guest reports/)],
  ["a value", [...started, value("eA=="), result], completed],
  ["a value before the call", [value("eA==")], agentError(/spoke before it was called/)],
  ["a value without an id", [...started, value("eA==", "val_1")], agentError(/descriptor 3/)],
  ["a value of no type", [...started, value("eA==", undefined, "text/html\r\nx: y")], agentError(/descriptor 3/)],
  ["a large value", [...started, value("x".repeat(11_200_000))], agentError(/descriptor 3/)],
  [
    "values without end",
    [
      ...started,
      Array(limits.valuesPerAttempt + 1)
        .fill(value("eA=="))
        .join("\n"),
    ],
    agentError(/reported more than a guest reports/),
  ],
  ["steps", [...started, step('{"a":[1]}'), step("null", "a", 2), step("1", "b:c.d_e-1"), result], completed],
  ["a step before the call", [step("1")], agentError(/spoke before it was called/)],
  ["a step without a result", [...started, step(undefined)], agentError(/descriptor 3/)],
  ["a step whose result is no text", [...started, step({ a: 1 })], agentError(/descriptor 3/)],
  ["a step whose result is no JSON", [...started, step("{")], agentError(/descriptor 3/)],
  ["a step whose result has a NUL", [...started, step('"\0"')], agentError(/descriptor 3/)],
  ["a step that is nested deep", [...started, step("[".repeat(129) + "]".repeat(129))], agentError(/descriptor 3/)],
  ["a step without a name", [...started, step("1", "")], agentError(/descriptor 3/)],
  ["a step with a name of two lines", [...started, step("1", "a\nb")], agentError(/descriptor 3/)],
  ["a step with a long name", [...started, step("1", "a".repeat(129))], agentError(/descriptor 3/)],
  ["a step without a number", [...started, step("1", "a", 0)], agentError(/descriptor 3/)],
  ["a step whose number is no integer", [...started, step("1", "a", 2 ** 60)], agentError(/descriptor 3/)],
  ["a step twice", [...started, step("1"), step("2")], agentError(/recorded the step a#1 twice/)],
  ["a large step", [...started, largeStep(1), result], completed],
  ["a step that is too large", [...started, largeStep(1).replace("x", "xx")], agentError(/descriptor 3/)],
  ["steps that are too large together", [...started, ...oneMore(16).map(largeStep)], agentError(/limits of step/)],
  [
    "steps without end",
    [...started, ...oneMore(stepLimits.perMessage).map((at) => step("1", "a", at))],
    agentError(/limits of step/),
  ],
  ["a count that is none", [...started, '{"t":"omitted","count":-1}'], agentError(/descriptor 3/)],
  ["a preview before the call", [preview("x")], agentError(/spoke before it was called/)],
  ["previews of no known type", [...started, preview("x").replace("reasoning", "r")], agentError(/descriptor 3/)],
  ["a preview without its number", [...started, preview("x").replace("1", "0")], agentError(/descriptor 3/)],
  [
    "text of a message without its number",
    [...started, '{"t":"delta","text":"a","ordinal":"b"}'],
    agentError(/descri/),
  ],
  [
    "activity without end",
    [
      ...started,
      Array(limits.activityEventsPerAttempt + 65)
        .fill(activity("x"))
        .join("\n"),
    ],
    agentError(/reported more than a guest reports/),
  ],
  [
    "millions of values",
    [...started, `{"t":"event","name":"a","data":[${"[],".repeat(2_000_000)}0]}`],
    agentError(/more than 300000 values/),
  ],
  [
    "as many values as an event may have bytes",
    [...started, `{"t":"event","name":"a","data":[${"0,".repeat(limits.agentEventBytes / 2 - 100)}0]}`, result],
    completed,
  ],
  [
    "brackets and escapes within text",
    [...started, `{"t":"delta","text":${JSON.stringify('\\"[{'.repeat(400))}}`, result],
    completed,
  ],
  ["text that does not end", ['{"t":"ready","runtime":"\\\\\\"'], agentError(/descriptor 3/)],
])("%s", async (_title, lines, ending) => {
  expect(await endingAfter(lines)).toMatchObject(ending);
});

test("more than twice the limit of previews fails the turn", async () => {
  const count = Math.floor((2 * limits.activityPreviewBytes) / 1_000_000) + 1;
  const lines = [...started, ...Array<string>(count).fill(preview("x".repeat(1_000_000))), result];
  const message = /sent 1[67]\d{6} bytes of previews; the limit is 8388608 bytes/;
  expect(await endingAfter(lines)).toMatchObject(agentError(message));
});

test("previews over the limit are dropped, and do not fail the turn", async () => {
  const shown: ReportFrame[] = [];
  const lines = [...started, preview("first"), ...Array<string>(14).fill(preview("x".repeat(1_000_000))), result];
  expect(await endingAfter(lines, { onFrame: (frame) => void shown.push(frame) })).toMatchObject(completed);
  expect(shown[0]).toEqual({ t: "preview", type: "reasoning.delta", data: { ordinal: 1, text: "first" } });
  expect(shown).toHaveLength(1 + Math.floor(limits.activityPreviewBytes / 1_000_000));
});

test("what an agent says it has used while it is stopped is known", async () => {
  const usage = { input_tokens: 7, output_tokens: 2 };
  const lastLine = JSON.stringify({ t: "error", code: "agent_error", message: "stopped", stack: "", usage });
  expect(await endingAfter(started, { lastLine, timeoutMs: 1 })).toEqual({ kind: "timeout", usage });
  const stop = new AbortController();
  const cancelled = endingAfter([...started, nested(1)], {
    lastLine,
    signal: stop.signal,
    onFrame: () => stop.abort(),
  });
  expect(await cancelled).toEqual({ kind: "cancelled", usage });
});

test("a guest that was told of messages before the call takes once, with all that came until then", async () => {
  const inbox: TurnInbox = {
    watch(onWaiting) {
      onWaiting();
      onWaiting();
      return () => {};
    },
    take: () => Promise.resolve([]),
  };
  const heard: string[] = [];
  const take = '{"t":"take"}';
  expect(await endingAfter([...started, take, result], { heard, inbox })).toMatchObject(completed);
  expect(heard).toEqual(['"t":"run"', '"t":"inbox"', '"t":"go"', '"t":"taken"']);
  expect(await endingAfter([...started, take, take], { inbox })).toMatchObject(agentError(/no message waits/));
});

test("a step is acknowledged once it is stored, and those of earlier attempts count", async () => {
  const heard: string[] = [];
  const onFrame = async (frame: ReportFrame): Promise<void> => {
    await new Promise(setImmediate);
    if (frame.t === "step") heard.push("stored");
  };
  expect(await endingAfter([...started, step("1"), result], { heard, onFrame })).toMatchObject(completed);
  expect(heard).toEqual(['"t":"run"', '"t":"go"', "stored", '"t":"stepped"']);
  const frames: ReportFrame[] = [];
  const usage = { input_tokens: 3 };
  const reports = [...started, JSON.stringify({ t: "usage", usage }), step("1"), result];
  await endingAfter(reports, { onFrame: (frame) => void frames.push(frame) });
  expect(frames).toEqual([{ t: "step", name: "a", ordinal: 1, json: "1", usage }]);
  const steps = oneMore(stepLimits.perMessage - 1).map((ordinal) => ({ name: "a", ordinal, json: "1" }));
  expect(await endingAfter([...started, step("1"), result], { steps })).toMatchObject(agentError(/a#1 twice/));
  expect(await endingAfter([...started, step("1", "b")], { steps })).toMatchObject(agentError(/limits of step/));
});

test("a turn that is being stopped hands over nothing", async () => {
  const stop = new AbortController();
  const inbox: TurnInbox = {
    watch(onWaiting) {
      onWaiting();
      stop.abort();
      return () => {};
    },
    take: () => Promise.reject(new Error("took a message")),
  };
  const heard: string[] = [];
  const lines = [...started, '{"t":"take"}'];
  const ending = await endingAfter(lines, { heard, inbox, signal: stop.signal, lastLine: result });
  expect(ending).toEqual({ kind: "cancelled" });
  expect(heard).not.toContain('"t":"taken"');
});

test("a turn that is cancelled before the call is counted is not called", async () => {
  const [stop, heard] = [new AbortController(), [] as string[]];
  const beforeCall = (): Promise<void> => Promise.resolve(stop.abort());
  expect(await endingAfter(started, { heard, signal: stop.signal, beforeCall })).toEqual({ kind: "cancelled" });
  expect(heard).not.toContain('"t":"go"');
});

test("a caller that waits for a guest waits only until its signal aborts", async () => {
  const [silent, guest] = duplexPair();
  const stop = new AbortController();
  const runs = waitForGuest(silent, stop.signal);
  stop.abort();
  expect(await runs).toBe(false);
  guest.end();
});

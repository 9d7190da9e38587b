// The package as its users have it: functions of the running turn, and the local runner, which follows the rules of a
// worker.

import { afterEach, describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  defineAgent,
  emit,
  getContext,
  operationKey,
  reportUsage,
  requestInput,
  signal,
  step,
  tool,
} from "../src/index.ts";
import { runLocally } from "../src/local.ts";

const cwd = process.cwd();
const home = process.env["HOME"];
afterEach(() => {
  expect([process.cwd(), process.env["HOME"]]).toEqual([cwd, home]);
});

const approval = { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] };

describe("runLocally", () => {
  test("streams what a generator yields, and joins it to the answer", async () => {
    const agent = defineAgent(async function* (prompt, context) {
      yield `${prompt} `;
      yield String(context.attempt);
    });
    const streamed: string[] = [];
    const turn = await runLocally(agent, "hi", { onText: (text) => streamed.push(text) });
    expect(turn).toMatchObject({ status: "completed", text: "hi 1", parts: [{ type: "text", text: "hi 1" }] });
    expect(streamed).toEqual(["hi ", "1"]);
  });

  test("gives files to the agent, and returns the files that it names", async () => {
    const agent = defineAgent(async (_prompt, { parts }) => {
      const [, file] = parts;
      if (file?.type !== "file") throw new Error("no file");
      await writeFile("copy.txt", await readFile(file.local_path ?? ""));
      return {
        parts: [
          { type: "text", text: file.path },
          { type: "file", path: "copy.txt" },
        ],
      };
    });
    const turn = await runLocally(agent, "copy", { files: { "a.txt": "content" } });
    expect(turn.parts).toEqual([
      { type: "text", text: "/input/a.txt" },
      { type: "file", path: "/copy.txt" },
    ]);
    expect(readFileSync(join(turn.workspace, "copy.txt"), "utf8")).toBe("content");
  });

  test("has messages wait in the inbox, and ends its iteration with the turn", async () => {
    let listening: Promise<void> | undefined;
    const agent = defineAgent(async (_prompt, { inbox }) => {
      const [first] = await inbox.take();
      const listen = async (): Promise<void> => {
        for await (const message of inbox) throw new Error(`got ${message.text} again`);
      };
      listening = listen();
      return `${first?.id} ${first?.text} ${inbox.isWaiting}`;
    });
    const turn = await runLocally(agent, "go", { inbox: ["no, the other file"] });
    expect(turn.text).toBe("msg_local_1 no, the other file false");
    await listening;
  });

  test("ends at a question, and returns the answer when it runs again", async () => {
    let runs = 0;
    const agent = defineAgent(async (prompt) => {
      runs += 1;
      const { approved } = await requestInput<{ approved: boolean }>("go-on", approval, { prompt: "Go on?" });
      return `${prompt}: ${approved}`;
    });
    const waiting = await runLocally(agent, "pay");
    expect(waiting).toMatchObject({
      status: "waiting_for_input",
      input: { key: "go-on", schema: approval, prompt: "Go on?" },
    });
    const turn = await runLocally(agent, "pay", { answers: { "go-on": { approved: true } } });
    expect([turn.text, runs]).toEqual(["pay: true", 2]);
  });

  test("returns the recorded steps, and gives them to the next run", async () => {
    const keys: string[] = [];
    const agent = defineAgent(async () => {
      const ids = [await step("pay", (key) => keys.push(key)), await step("pay", (key) => keys.push(key))];
      const { approved } = await requestInput<{ approved: boolean }>("go-on", approval);
      return `${ids.join()} ${approved}`;
    });
    const waiting = await runLocally(agent, "pay");
    expect(waiting.steps).toEqual([
      { name: "pay", ordinal: 1, json: "1" },
      { name: "pay", ordinal: 2, json: "2" },
    ]);
    const turn = await runLocally(agent, "pay", { answers: { "go-on": { approved: true } }, steps: waiting.steps });
    expect([turn.text, keys, turn.steps]).toEqual(["1,2 true", ["msg_local.pay", "msg_local.pay#2"], waiting.steps]);
    expect(turn.events).toContainEqual({
      type: "step.completed",
      data: { name: "pay", ordinal: 1, is_replayed: true },
    });
  });

  test.each([
    ["a thrown error", () => Promise.reject(new Error("no luck")), { code: "agent_error", message: "Error: no luck" }],
    [
      "a refused credential",
      () => Promise.reject(Object.assign(new Error("no"), { status: 401 })),
      { code: "credential_refused" },
    ],
    ["a value without JSON", () => 1n as never, { code: "invalid_output" }],
    [
      "a path outside of the workspace",
      () => ({ parts: [{ type: "file" as const, path: "../x" }] }),
      { code: "invalid_output" },
    ],
  ])("fails with the platform's code: %s", async (_title, agent, error) => {
    expect(await runLocally(agent, "x")).toMatchObject({ status: "failed", error });
  });

  test("a value that nothing can run", async () => {
    const turn = await runLocally({ model: "m" }, "x");
    expect(turn.error).toMatchObject({ code: "unsupported_export", message: expect.stringMatching(/sdk: .*opencode/) });
  });

  test("stops a turn with a signal", async () => {
    const stop = new AbortController();
    const agent = defineAgent(async () => {
      const stopped = new Promise((resolve) => signal().addEventListener("abort", resolve));
      stop.abort();
      await stopped;
      return String(signal().aborted);
    });
    expect(await runLocally(agent, "x", { signal: stop.signal })).toMatchObject({ text: "true" });
    const isAborted = defineAgent((_prompt, context) => String(context.signal.aborted));
    expect(await runLocally(isAborted, "x", { signal: AbortSignal.abort() })).toMatchObject({ text: "true" });
  });

  test("finds the entrypoint as dari.yml names it", async () => {
    const turn = await runLocally("packages/harness/tests/agents/node/agents.mjs:text", "hello");
    expect(turn).toMatchObject({ status: "completed" });
  });
});

describe("functions of the running turn", () => {
  test("use its context", async () => {
    const agent = defineAgent(async (_prompt, context) => {
      await emit("progress", { percent: 50 });
      await reportUsage({ input_tokens: 3 });
      await reportUsage({ input_tokens: 4, output_tokens: 1 });
      return [getContext() === context, operationKey() === context.operationKey, operationKey("pay")];
    });
    const turn = await runLocally(agent, "x");
    expect(JSON.parse(turn.text)).toEqual([true, true, "msg_local.pay"]);
    expect(turn).toMatchObject({
      usage: { input_tokens: 7, output_tokens: 1 },
      events: [{ type: "progress", data: { percent: 50 } }],
    });
  });

  test("fail outside of a turn", async () => {
    for (const call of [() => emit("x"), () => reportUsage({}), () => operationKey(), () => signal()]) {
      expect(call).toThrow("no turn is running");
    }
    await expect(runLocally(() => "x", "x")).resolves.toMatchObject({ text: "x" });
    expect(() => getContext()).toThrow("no turn is running");
  });

  test("a tool records its calls", async () => {
    const add = tool({
      name: "add",
      description: "Adds two numbers.",
      parameters: { type: "object" },
      run: ({ a, b }: { a: number; b: number }) => {
        if (a < 0) throw new RangeError("negative");
        return a + b;
      },
    });
    const agent = defineAgent(async () => {
      const sum: number = await add({ a: 1, b: 2 });
      await add({ a: -1, b: 0 }).catch(() => {});
      return [sum, add.definition.name];
    });
    const turn = await runLocally(agent, "x");
    expect(JSON.parse(turn.text)).toEqual([3, "add"]);
    const call_id = expect.stringMatching(/^call_[0-9a-f]{16}$/);
    const call = { call_id, name: "add" };
    const duration_ms = expect.any(Number);
    expect(turn.events).toEqual([
      { type: "tool.call_requested", data: { ...call, kind: "function", arguments: { a: 1, b: 2 } } },
      { type: "tool.call_completed", data: { ...call, result: 3, is_error: false, duration_ms } },
      { type: "tool.call_requested", data: { ...call, kind: "function", arguments: { a: -1, b: 0 } } },
      { type: "tool.call_completed", data: { ...call, result: "RangeError: negative", is_error: true, duration_ms } },
    ]);
  });

  test("a tool that has run does not fail because of its event", async () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    let deep: unknown = 0;
    for (let level = 0; level < 200; level++) deep = [deep];
    const results = new Map<string, unknown>([
      ["bigint", 1n],
      ["cycle", cycle],
      ["deep", deep],
    ]);
    const description = "Returns what has no JSON.";
    const parameters = { type: "object" };
    const find = tool({ name: "find", description, parameters, run: (key: string) => results.get(key) });
    const agent = defineAgent(async () => {
      const found: boolean[] = [];
      for (const [key, result] of results) found.push((await find(key)) === result);
      return found;
    });
    const turn = await runLocally(agent, "x");
    expect(turn.error).toBeUndefined();
    expect(JSON.parse(turn.text)).toEqual([true, true, true]);
    const completed = turn.events.filter(({ type }) => type === "tool.call_completed");
    expect(completed.map(({ data }) => (data as { result: unknown }).result)).toEqual([
      "1",
      "[object Object]",
      JSON.stringify(deep),
    ]);
  });
});

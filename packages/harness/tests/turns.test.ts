// One turn of each scripted agent, in every runtime of this machine.

import { readlinkSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { captureLogs, waitForGuest, runTurn } from "../src/index.ts";
import { runtimesOfThisRun, play, requestFor, sampleContext, startGuest, type Guest } from "./guest-fixture.ts";

const emoji = "\u{1F600}";

describe.each(runtimesOfThisRun())("$title", (runtime) => {
  const isNode = runtime.language === "typescript";

  test.each([
    ["text", "you said: hello"],
    ["asyncText", "HELLO"],
    ["number", "42"],
    ["generator", "one two hello"],
    ["asyncGenerator", `a1b${emoji}`],
    ["generatorWithReturn", "final"],
    ["emits", "done"],
    ["prints", "printed"],
  ])("%s answers with text", async (name, text) => {
    expect((await play(runtime, name)).ending).toEqual({ kind: "completed", parts: [{ type: "text", text }] });
  });

  test("an agent that returns nothing answers without a part", async () => {
    expect((await play(runtime, "nothing")).ending).toEqual({ kind: "completed", parts: [] });
  });

  test("an object answers with its JSON", async () => {
    expect(JSON.parse(await textOf("object"))).toEqual({ answer: [1, null, "ä"] });
  });

  test("parts are accepted unchanged, with paths from the workspace's root", async () => {
    expect((await play(runtime, "parts")).ending).toEqual({
      kind: "completed",
      parts: [
        { type: "text", text: "see" },
        { type: "file", path: "/output/a.txt" },
      ],
    });
  });

  test("what is yielded arrives as deltas", async () => {
    const { frames } = await play(runtime, "generatorWithReturn");
    expect(frames).toEqual([{ t: "delta", text: "thinking…" }]);
    const { frames: many } = await play(runtime, "asyncGenerator");
    expect(many.map((frame) => "text" in frame && frame.text)).toEqual(["a", "1", `b${emoji}`]);
  });

  test("the context has what the host sent", async () => {
    const { seen } = JSON.parse(await textOf("context"));
    const { answers: _hidden, ...shown } = sampleContext;
    expect(seen).toEqual({ ...shown, workspace: seen.workspace, emits: "function", aborted: false });
    expect(seen.workspace).toMatch(/harness-test-/);
  });

  test("the agent works in the workspace, and its children do not get the channel", async () => {
    const seen = JSON.parse(await textOf("surroundings"));
    expect(seen.cwd).toMatch(/harness-test-/);
    expect(seen.children).not.toMatch(/ 3 -> socket/);
  });

  test("events arrive with their data", async () => {
    const { frames } = await play(runtime, "emits");
    expect(frames).toEqual([
      { t: "event", name: "step", data: { n: 1 } },
      { t: "event", name: "bare", data: null },
    ]);
  });

  test("calls of tools are recorded with arguments, result and error, and cut if they are large", async () => {
    const { ending, frames } = await play(runtime, "callsTools");
    const part = ending.kind === "completed" ? ending.parts[0] : undefined;
    const failure = `${isNode ? "Range" : "Value"}Error: no luck`;
    const refused = "tool: the name must be a string of 1 to 200 characters";
    expect(JSON.parse(part?.type === "text" ? part.text : "null")).toEqual([3, failure, 10_000, refused]);
    const reported = frames.filter(({ t }) => t !== "value");
    const calls = reported.map((frame) => (frame.t === "activity" ? (frame.data as Record<string, unknown>) : {}));
    const [requested, completed] = [calls.filter((_, i) => i % 2 === 0), calls.filter((_, i) => i % 2 === 1)];
    expect(new Set(requested.map((one) => one["call_id"])).size).toBe(6);
    expect(requested.map((one) => one["call_id"])).toEqual(completed.map((one) => one["call_id"]));
    const none = isNode ? null : {};
    expect(requested).toMatchObject([
      { name: "add", kind: "function", arguments: { a: 1, b: 2 } },
      { name: "fail", arguments: none },
      { name: "read", arguments: expect.stringMatching(/^\{"path":"x{16375}$/), arguments_bytes: 20_011 },
      { name: "odd", arguments: expect.any(String) },
      { name: "deep", arguments: {} },
      { name: "silent", arguments: {} },
    ]);
    const duration_ms = expect.any(Number);
    expect(completed).toMatchObject([
      { result: 3, is_error: false, duration_ms },
      { result: failure, is_error: true },
      { result: "é".repeat(limits.activityValueBytes / 2), result_bytes: 20_000, is_error: false },
      { result: expect.any(String), is_error: false },
      { result: expect.stringMatching(/^\[{127}\]{127}$/) },
      { result: null },
    ]);
    for (const frame of reported) {
      if (frame.t !== "activity") throw new Error(`sent ${frame.t}`);
      expect(frame.type).toMatch(/^tool\.call_(requested|completed)$/);
    }
  });

  test("activity over the limit is only counted", async () => {
    const { ending, frames } = await play(runtime, "callsTooManyTools");
    expect(ending.kind).toBe("completed");
    expect(frames.filter((frame) => frame.t === "activity")).toHaveLength(limits.activityEventsPerAttempt);
    const counts = frames.flatMap((frame) => (frame.t === "omitted" ? [frame.count] : []));
    expect(counts).toEqual([1, 2, 4, 8, 16, 20]);
  });

  test.each([
    ["countsUsage", { input_tokens: 111, output_tokens: 3, cost_usd: 0.5 }],
    ["yieldsAndCountsUsage", { output_tokens: 4 }],
  ])("%s: what is reported and what is returned is the turn's usage", async (name, usage) => {
    const { ending } = await play(runtime, name);
    expect(ending).toEqual({ kind: "completed", parts: [{ type: "text", text: "counted" }], usage });
  });

  test("usage that is not numbers by name fails the turn, or the call", async () => {
    const { ending } = await play(runtime, "returnsBadUsage");
    const message = expect.stringMatching(/usage: input_tokens: expected a snake_case name .* and a number/);
    expect(ending).toMatchObject({ kind: "failed", failure: { code: "invalid_output", message } });
    const errors = (await textOf("reportsBadly")).split("\n");
    expect(errors).toHaveLength(6);
    for (const error of errors) expect(error).toMatch(/^TypeError: report_?[uU]sage: .*expected/);
  });

  test.each([
    ["reportsAndThrows", "agent_error", { input_tokens: 5 }],
    ["reportsAndExits", "agent_exit", { input_tokens: 6 }],
  ])("%s: what was reported by then is used", async (name, code, usage) => {
    expect((await play(runtime, name)).ending).toMatchObject({ kind: "failed", failure: { code }, usage });
  });

  test("what was reported by a turn that does not stop is used", async () => {
    const controller = new AbortController();
    const { ending } = await play(runtime, "reportsAndHangs", {
      signal: controller.signal,
      onFrame: () => controller.abort(),
    });
    expect(ending).toEqual({ kind: "cancelled", usage: { input_tokens: 7 } });
  });

  test("emit refuses an event above its limits, and the agent continues", async () => {
    const { ending, frames } = await play(runtime, "emitsTooMuch");
    const part = ending.kind === "completed" ? ending.parts[0] : undefined;
    const answer = JSON.parse(part?.type === "text" ? part.text : "null");
    expect(answer).toEqual({ count: 5, last: "emit: an attempt can emit at most 10000 events" });
    expect(frames).toHaveLength(10_000);
  });

  test("an answer that the message has is returned, and asking for another ends the turn", async () => {
    const asked = { key: "approve", schema: { type: "boolean" }, prompt: "may I?", waitSeconds: 60 };
    const { ending, frames } = await play(runtime, "asks");
    expect(ending).toEqual({ kind: "suspended", asked });
    expect(frames).toEqual([{ t: "event", name: "known", data: { yes: true } }]);
  });

  test("an input without options waits for the default time", async () => {
    const { ending } = await play(runtime, "asksPlainly");
    const asked = { key: "a", schema: {}, prompt: undefined, waitSeconds: limits.inputWaitSecondsDefault };
    expect(ending).toEqual({ kind: "suspended", asked });
  });

  test("an invalid input is refused, and the agent continues", async () => {
    const refused = JSON.parse(await textOf("asksBadly")) as string[];
    expect(refused).toHaveLength(7);
    expect(refused.every((message) => /^request_?[iI]nput: /.test(message))).toBe(true);
  });

  test("an approval counts for the one call that was shown, and says what of it is not shown", async () => {
    const asked = JSON.parse(await textOf("approvals")) as { key: string; prompt: string }[];
    const keys = asked.map(({ key }) => key);
    expect(new Set(keys).size).toBe(6);
    expect(keys[5]).toBe(keys[0]);
    for (const key of keys.slice(0, 6)) expect(key).toMatch(/^approve-call_0-[0-9a-f]{16}$/);
    expect(keys[6]).toMatch(/^approve-{81}-[0-9a-f]{16}$/);
    expect(asked[3]?.prompt).toMatch(
      /^Reader wants to use read_file with .* \[\d+ characters are not shown here\] a+z"\}$/,
    );
    expect(asked[3]?.prompt).toHaveLength(isNode ? 2_000 : 1_000);
  });

  test("servers that are not connected are connected, and closed again if one of them fails", async () => {
    const calls = ["close broken", "close first", "connect broken", "connect first"];
    expect(JSON.parse(await textOf("servers"))).toEqual({ calls, error: "no such server" });
  });

  test("what is printed is a log and never output", async () => {
    const { ending, logs } = await play(runtime, "prints");
    expect(ending.kind).toBe("completed");
    expect(logs).toEqual({ stdout: '{"t":"result","parts":[]}\n', stderr: "to stderr\n" });
  });

  test.each([
    ["unserialisable", "invalid_output", /cannot be written as JSON/],
    ["returnsFunction", "invalid_output", /cannot be written as JSON/],
    ["badPart", "invalid_output", /parts\[1\]\.type: expected "text" or "file"/],
    ["badPath", "invalid_output", /parts\[0\]\.path: expected a path inside the workspace/],
    ["partsIsText", "invalid_output", /parts: expected a list/],
    ["tooLarge", "output_too_large", /8388608 bytes/],
    ["yieldsTooMuch", "output_too_large", /larger than|8388608/],
    ["throws", "agent_error", /^R\w+Error: no such luck/],
    ["refused", "credential_refused", /no such key\n.*refused the agent's credential \(401 Unauthorized\).*dari cred/],
    ["refusedInside", "credential_refused", /the model call failed\n/],
    ["exits", "agent_exit", /exited with code 3/],
    ["killed", "agent_exit", /ended by SIGKILL/],
    ["missing", "entrypoint_not_found", /has no \w+ "missing"; it \w+ .*text/],
    ["sdkAgent", "unsupported_export", /an Agent named "assistant"/],
    ["makesAgent", "unsupported_export", /function that returned an Agent, which needs the package/],
    ["Agent", "unsupported_export", /class/],
    ["options", "unsupported_export", /object/],
    ["constant", "unsupported_export", /number|int/],
    ["closesChannel", isNode ? "agent_error" : "agent_exit", isNode ? /closed file descriptors/ : /exited with code 1/],
  ])("%s fails with %s", async (name, code, message) => {
    const { ending } = await play(runtime, name);
    if (ending.kind !== "failed") throw new Error(`ended with ${JSON.stringify(ending).slice(0, 300)}`);
    expect(ending.failure.message).toMatch(message);
    expect(ending.failure.code).toBe(code);
  });

  test("the package that agents import finds the context of the running turn", async () => {
    const { ending, frames } = await play(runtime, "usesPackage");
    expect(ending).toMatchObject({ kind: "completed", parts: [{ type: "text", text: "op_1.pay" }] });
    expect(frames).toEqual([{ t: "event", name: "from the package", data: null }]);
  });

  test("a thrown error carries its stack, which names the agent's file", async () => {
    const { ending } = await play(runtime, "throws");
    expect(ending.kind === "failed" && ending.stack).toMatch(new RegExp(runtime.file));
  });

  test.each([
    [isNode ? "nowhere.mjs" : "nowhere.py", "entrypoint_not_found", /there is no file nowhere/],
    ["../../turns.test.ts", "entrypoint_not_found", /is outside/],
    [isNode ? "breaks.mjs" : "breaks.py", "agent_error", /top level trouble/],
    [
      isNode ? "misses.mjs" : "misses.py",
      "agent_error",
      isNode ? /a-package-that-is-not-installed/ : /'a_package_.*'; add a_package_\w+ to requirements.txt/,
    ],
  ])("%s fails with %s", async (file, code, message) => {
    const { ending } = await play(runtime, "agent", { file });
    expect(ending).toMatchObject({ kind: "failed", failure: { code, message: expect.stringMatching(message) } });
  });

  test.each(
    isNode
      ? [
          ["src/common.cjs", "common hello"],
          ["src/default.mjs", "default hello"],
          ["src/common", "common hello"],
        ]
      : [
          ["pkg/mod.py", "hello hello in pkg.mod"],
          ["pkg.mod", "hello hello in pkg.mod"],
          ["src/mine/main.py", "hello hello in mine.main"],
          ["json.py", 'agent_json "hello"'],
        ],
  )("%s is found", async (file, text) => {
    expect(await textOf("agent", file)).toBe(text);
  });

  if (isNode) {
    test("the default of a CommonJS module is what it calls that", async () => {
      expect(await textOf("default", "src/transpiled.cjs")).toBe("transpiled hello");
    });
  }

  test("a process that can serve again keeps its memory, and sends nothing for a turn that has ended", async () => {
    const guest = await startGuest(runtime);
    try {
      expect(await waitForGuest(guest.channel)).toBe(true);
      const said: { answer: unknown; events: unknown[]; log: string }[] = [];
      const heard = new Set<number>();
      for (const prompt of ["one", "two"]) {
        said.push(await turnOf(guest, prompt));
        heard.add(guest.channel.listenerCount("error"));
      }
      expect(heard.size).toBe(1);
      const own = isNode ? {} : { loops: 1 };
      expect(said).toEqual([
        { answer: { prompt: "one", turns: 1, cwd: guest.workspace, ...own }, events: ["heard"], log: "turn 1\n" },
        { answer: { prompt: "two", turns: 2, cwd: guest.workspace, ...own }, events: ["heard"], log: "turn 2\n" },
      ]);
      expect(readlinkSync(`/proc/${guest.pid}/cwd`)).toBe("/");
    } finally {
      await guest.end();
    }
  });

  async function turnOf(guest: Guest, prompt: string): Promise<{ answer: unknown; events: unknown[]; log: string }> {
    const events: unknown[] = [];
    let log = "";
    const captured = captureLogs({ ...guest, maxBytes: 1_000, onText: (_stream, text) => (log += text) });
    const ending = await runTurn({
      channel: guest.channel,
      exited: guest.exited,
      request: { ...requestFor(runtime, guest, "again", { prompt }), again: true },
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame: (frame) => void events.push(frame.t === "event" ? frame.name : frame),
    });
    process.kill(guest.pid, "SIGSTOP");
    await captured.leave();
    process.kill(guest.pid, "SIGCONT");
    const part = ending.kind === "completed" ? ending.parts[0] : undefined;
    return { answer: part?.type === "text" ? JSON.parse(part.text) : ending, events, log };
  }

  async function textOf(name: string, file?: string): Promise<string> {
    const { ending } = await play(runtime, name, file === undefined ? {} : { file });
    if (ending.kind === "completed" && ending.parts[0]?.type === "text") return ending.parts[0].text;
    throw new Error(`ended with ${JSON.stringify(ending).slice(0, 300)}`);
  }
});

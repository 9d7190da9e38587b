// Time limits, cancellation, the handshake before the call, and the check of an entrypoint.

import { describe, expect, test } from "@jest/globals";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  checkEntrypoint,
  preloadAgent,
  runTurn,
  type Entry,
  type EntrypointCheckResult,
  type ReportFrame,
} from "../src/index.ts";
import { runtimesOfThisRun, play, requestFor, startGuest } from "./guest-fixture.ts";

describe.each(runtimesOfThisRun())("$title", (runtime) => {
  test("an agent that hangs runs into its time limit", async () => {
    expect((await play(runtime, "hangs", { timeoutMs: 200 })).ending).toEqual({ kind: "timeout" });
  });

  test("a cancelled agent is informed and can clean up", async () => {
    const stop = new AbortController();
    const events: ReportFrame[] = [];
    const { ending } = await play(runtime, "waits", {
      signal: stop.signal,
      onFrame: (frame) => {
        events.push(frame);
        stop.abort();
      },
    });
    expect(ending).toEqual({ kind: "cancelled" });
    expect(events).toEqual([
      { t: "event", name: "waiting", data: null },
      { t: "event", name: "stopping", data: "cancelled" },
    ]);
  });

  test("a turn cancelled before it began is never sent to the agent", async () => {
    const asked: string[] = [];
    const ending = play(runtime, "text", {
      signal: AbortSignal.abort(),
      beforeCall: () => Promise.resolve(void asked.push("asked")),
    });
    expect((await ending).ending).toEqual({ kind: "cancelled" });
    expect(asked).toEqual([]);
  });

  test("the entrypoint is not called when the host refuses", async () => {
    const refused = play(runtime, "prints", { beforeCall: () => Promise.reject(new Error("the claim was lost")) });
    await expect(refused).rejects.toThrow("the claim was lost");
  });

  test("a loaded agent is informed of its turn before its workspace exists, and called in it", async () => {
    const guest = await startGuest(runtime);
    const { channel, exited } = guest;
    const workspace = join(guest.workspace, "late");
    const request = { ...requestFor(runtime, guest, "again"), workspace };
    preloadAgent({ channel, ...request });
    try {
      const ending = await runTurn({
        channel,
        exited,
        request,
        timeoutMs: 20_000,
        signal: new AbortController().signal,
        beforeCall: () => mkdir(workspace),
        onFrame: () => {},
      });
      const text = expect.stringContaining(JSON.stringify({ cwd: workspace }).slice(1, -1));
      expect(ending).toMatchObject({ kind: "completed", parts: [{ type: "text", text }] });
    } finally {
      await guest.end();
    }
  });

  test("the time limit begins with the call", async () => {
    const late = Promise.withResolvers<void>();
    setImmediate(() => late.resolve());
    const { ending } = await play(runtime, "text", { timeoutMs: 5_000, beforeCall: () => late.promise });
    expect(ending.kind).toBe("completed");
  });

  test("code that does not load in time fails", async () => {
    const { ending } = await play(runtime, "text", { loadTimeoutMs: 1 });
    expect(ending).toMatchObject({ kind: "failed", failure: { message: expect.stringMatching(/not loaded within/) } });
  });

  test.each([
    ["text", { ok: true, kind: "function" }],
    ["asyncGenerator", { ok: true, kind: "async_generator" }],
    ["asyncText", { ok: true, kind: "async_function" }],
    ["missing", { ok: false, failure: { code: "entrypoint_not_found" } }],
    ["options", { ok: false, failure: { code: "unsupported_export" } }],
  ])("checks the entrypoint %s", async (name, found) => {
    expect(await check({ file: runtime.file, export: name })).toMatchObject(found);
  });

  test("checks a module that breaks", async () => {
    const file = runtime.language === "python" ? "breaks.py" : "breaks.mjs";
    const stack = expect.stringMatching(/breaks/);
    const found = { ok: false, failure: { code: "agent_error" }, stack };
    expect(await check({ file, export: "agent" })).toMatchObject(found);
  });

  async function check(entry: Entry): Promise<EntrypointCheckResult> {
    const guest = await startGuest(runtime);
    try {
      const { channel, exited } = guest;
      const { imageDir } = runtime;
      const what = { entry, imageDir, workspace: imageDir, sdk: "pi", timeoutMs: 20_000 };
      return await checkEntrypoint({ channel, exited, ...what });
    } finally {
      await guest.end();
    }
  }
});

// The order in which the recorders of a turn are used and closed. What each of them stores is tested with it.

import { describe, expect, test } from "@jest/globals";
import type { TurnEnding } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { TurnRecorders, type RecorderParts } from "./turn-recorders.ts";

const completed: TurnEnding = { kind: "completed", parts: [] };
const closed = [
  "previews.flush",
  "events.stop",
  "gate.close",
  "modelRequests.end",
  "answers.end",
  "logs.stop",
  "logs.flush",
];

/** Recorders that only note their calls. `failing`: the calls that fail, at once or later. */
function openNoting({ failing = [], isStopped = false }: { failing?: readonly string[]; isStopped?: boolean } = {}) {
  const calls: string[] = [];
  const failed: unknown[] = [];
  const answersLast: unknown[] = [];
  const now = (name: string) => () => {
    calls.push(name);
    if (failing.includes(name)) throw new Error(name);
  };
  const later = (name: string) => async () => {
    calls.push(name);
    // What is not awaited has no effect on the next call.
    await new Promise((resolve) => setImmediate(resolve));
    if (failing.includes(name)) throw new Error(name);
    calls.push(`${name} done`);
  };
  const parts = {
    logs: { stop: now("logs.stop"), flush: later("logs.flush") },
    previews: { flush: now("previews.flush") },
    text: { end: now("text.end") },
    events: {
      emit: later("events.emit"),
      flush: later("events.flush"),
      end: later("events.end"),
      stop: now("events.stop"),
    },
    values: { end: later("values.end") },
    modelRequests: { end: later("modelRequests.end") },
    answers: {
      end(isLastAttempt: boolean) {
        answersLast.push(isLastAttempt);
        return later("answers.end")();
      },
    },
    gate: { close: now("gate.close") },
  } as unknown as RecorderParts;
  const log = createLogger({
    name: "turn-recorders",
    level: "silent",
    observe: (fields) => void failed.push((fields as { recorder: string }).recorder),
  });
  const signal = isStopped ? AbortSignal.abort("cancelled") : new AbortController().signal;
  const attempt = { context: { log }, turn: { attemptId: "att_1" }, lease: { signal } };
  const recorders = new TurnRecorders(attempt as unknown as ConstructorParameters<typeof TurnRecorders>[0], parts);
  return { recorders, calls, failed, answersLast };
}

/** Returns the calls without those that only say that an earlier one has ended. */
function begun(calls: readonly string[]): string[] {
  return calls.filter((call) => !call.endsWith(" done"));
}

describe("closing", () => {
  test("ends one recorder after the other, the log last", async () => {
    const { recorders, calls, failed } = openNoting();
    await recorders[Symbol.asyncDispose]();
    expect(begun(calls)).toEqual(closed);
    expect(calls.indexOf("modelRequests.end done")).toBeLessThan(calls.indexOf("answers.end"));
    expect(calls.indexOf("answers.end done")).toBeLessThan(calls.indexOf("logs.stop"));
    expect(calls.at(-1)).toBe("logs.flush done");
    expect(failed).toEqual([]);
  });

  test.each([
    ["previews.flush", "previews"],
    ["events.stop", "events"],
    ["gate.close", "gate"],
    ["modelRequests.end", "model requests"],
    ["answers.end", "answers"],
    ["logs.stop", "logs"],
    ["logs.flush", "logs"],
  ])("closes all others if %s fails, and logs which one did", async (call, recorder) => {
    const { recorders, calls, failed } = openNoting({ failing: [call] });
    await recorders[Symbol.asyncDispose]();
    expect(begun(calls)).toEqual(closed);
    expect(failed).toEqual([recorder]);
  });

  test("does not hide the error of the run", async () => {
    const run = async (): Promise<void> => {
      await using recorders = openNoting({ failing: ["modelRequests.end", "logs.flush"] }).recorders;
      await recorders.flush();
      throw new Error("the run");
    };
    await expect(run()).rejects.toThrow(/^the run$/);
  });
});

describe("the end of the agent", () => {
  test("stores events and values after the last text, and then no later attempt needs the answers", async () => {
    const { recorders, calls, answersLast } = openNoting();
    await recorders.end(completed);
    expect(calls).toEqual(["text.end", "events.end", "events.end done", "values.end", "values.end done"]);
    await recorders[Symbol.asyncDispose]();
    expect(answersLast).toEqual([true]);
  });

  test.each([
    ["another ending", { kind: "cancelled" }, []],
    ["a superseded claim", completed, ["events.end"]],
  ] as const)("keeps the answers for a later attempt after %s", async (_what, ending, failing) => {
    const { recorders, answersLast } = openNoting({ failing });
    await recorders.end(ending).catch(() => undefined);
    await recorders[Symbol.asyncDispose]();
    expect(answersLast).toEqual([false]);
  });

  test("rejects if the claim was superseded, but not if the turn was stopped", async () => {
    await expect(openNoting({ failing: ["events.end"] }).recorders.end(completed)).rejects.toThrow("events.end");
    const stopped = openNoting({ failing: ["events.end"], isStopped: true });
    await stopped.recorders.end({ kind: "cancelled" });
    expect(begun(stopped.calls)).toEqual(["text.end", "events.end", "values.end"]);
  });
});

test("what the agent wrote before an event is shown first", async () => {
  const { recorders, calls } = openNoting();
  await recorders.addFrame({ t: "event", name: "a", data: {} });
  await recorders.flush();
  expect(begun(calls)).toEqual(["previews.flush", "events.emit", "previews.flush", "events.flush"]);
});

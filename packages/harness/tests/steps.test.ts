// Steps, in every runtime of this machine: their results are stored before the agent continues, and given to the next
// attempt.

import { describe, expect, test } from "@jest/globals";
import { stepLimits } from "@dari/domain";
import type { RecordedStep, TurnEnding } from "../src/index.ts";
import { runtimesOfThisRun, play, type Played } from "./guest-fixture.ts";

describe.each(runtimesOfThisRun())("$title", (runtime) => {
  const isPython = runtime.language === "python";
  const file = isPython ? "step_agents.py" : "step-agents.mjs";
  const run = (agent: string, steps: readonly RecordedStep[] = []) => play(runtime, agent, { file, steps });

  test("a later attempt gets the recorded results, and runs no step again", async () => {
    const first = await run("runsSteps");
    const results = [{ a: [1, null] }, "é", 3, null];
    expect(answerOf(first.ending)).toEqual(results);
    expect(eventsOf(first, "ran")).toEqual(["op_1.one", "op_1.one#2", "op_1.later"]);
    const [known, ...names] = stepsOf(first);
    expect(known?.json).toBe(isPython ? '{"value":{"a":[1,null]}}' : '{"a":[1,null]}');
    expect([known, ...names].map((step) => [step?.name, step?.ordinal])).toEqual([
      ["one", 1],
      ["one", 2],
      ["later", 1],
      ["nothing", 1],
    ]);
    const again = await run("runsSteps", stepsOf(first));
    expect(answerOf(again.ending)).toEqual(results);
    expect([eventsOf(again, "ran"), stepsOf(again)]).toEqual([[], []]);
    expect(replaysOf(again)).toEqual(Array(4).fill(true));
  });

  test("only what is recorded is not run again, whatever is called before it", async () => {
    const steps = stepsOf(await run("runsSteps"));
    const again = await run("runsSteps", [steps[1]!, steps[2]!]);
    expect(answerOf(again.ending)).toEqual([{ a: [1, null] }, "é", 3, null]);
    expect(eventsOf(again, "ran")).toEqual(["op_1.one"]);
    expect(replaysOf(again)).toEqual([false, true, true, false]);
  });

  test("steps at the same time count in the order of their calls", async () => {
    const first = await run("runsStepsAtOnce");
    const results = [
      [0, "op_1.a"],
      [1, "op_1.b"],
      [2, "op_1.a#2"],
    ];
    expect(answerOf(first.ending)).toEqual(results);
    const again = await run("runsStepsAtOnce", stepsOf(first).toReversed());
    expect([answerOf(again.ending), stepsOf(again)]).toEqual([results, []]);
  });

  test("a step inside a step is refused, also after the outer one, and does not count", async () => {
    const { ending } = await run("nestsSteps");
    const refused = (outer: string) =>
      `step: "inner" is called inside the step "${outer}"; call it before or after that one`;
    expect(answerOf(ending)).toEqual([refused("outer"), refused("later"), refused("starts"), 2]);
  });

  (isPython ? test : test.skip)("a step inside a step is not noticed in a thread of an executor", async () => {
    expect(answerOf((await run("nestsStepsInThread")).ending)).toEqual([1]);
  });

  (isPython ? test.skip : test)("an agent that waits for nothing after its step fails at once", async () => {
    const { ending } = await run("waitsForNothingAfterItsStep");
    expect(ending).toMatchObject({ failure: { code: "agent_error", message: expect.stringMatching(/never happen/) } });
  });

  test("a step that fails is not recorded, and counts", async () => {
    const first = await run("failsInSteps");
    expect(answerOf(first.ending)).toEqual(["no luck", "none again", "op_1.x#3"]);
    const steps = stepsOf(first);
    expect(steps.map(({ ordinal }) => ordinal)).toEqual([3]);
    const again = await run("failsInSteps", steps);
    expect([answerOf(again.ending), stepsOf(again)]).toEqual([["no luck", "none again", "op_1.x#3"], []]);
  });

  test("what cannot be recorded is refused with the reason", async () => {
    const { ending, frames } = await run("stepsBadly");
    const name = "step: the name must have 1 to 128 letters, digits and . _ : -, a letter or digit first";
    expect(answerOf(ending)).toEqual([
      ...Array<string>(5).fill(name),
      "step: the second argument must be a function",
      expect.stringMatching(/^step: the result of "cycle" cannot be written as JSON: /),
      expect.stringMatching(/^step: the result of "code" cannot be written as JSON: /),
      expect.stringMatching(
        /^step: the result of "long" has 2621\d\d bytes; the limit is 262144: return less, such as/,
      ),
      'step: the result of "deep" is nested deeper than 128 levels',
    ]);
    expect(frames).toEqual([]);
  });

  test("a step over a limit of the message fails alone", async () => {
    const many = await run("runsTooManySteps");
    expect(answerOf(many.ending)).toEqual([1_000, "step: a message can have at most 1000 steps"]);
    expect(stepsOf(many)).toHaveLength(stepLimits.perMessage);
    const again = await run("runsTooManySteps", stepsOf(many));
    expect(answerOf(again.ending)).toEqual([0, "step: a message can have at most 1000 steps"]);
    const { ending } = await run("recordsTooMuch");
    expect(ending).toMatchObject({
      parts: [{ text: "step: the results of a message can have at most 4194304 bytes" }],
    });
  });

  test.each(["printsAfterItsStep", "printsAfterItsLaterStep"])("%s, but not before it is stored", async (agent) => {
    const stop = new AbortController();
    const { ending, logs } = await play(runtime, agent, {
      file,
      signal: stop.signal,
      onFrame({ t }) {
        if (t !== "step") return undefined;
        stop.abort();
        return new Promise(() => {});
      },
    });
    expect([ending.kind, logs.stdout]).toEqual(["cancelled", ""]);
    const stored = await run(agent);
    expect([stored.ending.kind, stored.logs.stdout]).toEqual(["completed", "after\n"]);
  });
});

function stepsOf({ frames }: Played): RecordedStep[] {
  return frames.flatMap((frame) => {
    if (frame.t !== "step") return [];
    const { name, ordinal, json } = frame;
    return [{ name, ordinal, json }];
  });
}

function eventsOf({ frames }: Played, name: string): unknown[] {
  return frames.flatMap((frame) => (frame.t === "event" && frame.name === name ? [frame.data] : []));
}

function replaysOf({ frames }: Played): unknown[] {
  return frames.flatMap((frame) =>
    frame.t === "activity" && frame.type === "step.completed"
      ? [(frame.data as { readonly is_replayed: boolean }).is_replayed]
      : [],
  );
}

function answerOf(ending: TurnEnding): unknown {
  if (ending.kind !== "completed" || ending.parts[0]?.type !== "text") throw new Error(JSON.stringify(ending));
  return JSON.parse(ending.parts[0].text);
}

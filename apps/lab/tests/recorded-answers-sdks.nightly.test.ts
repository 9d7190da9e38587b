// Agents that the platform runs with their SDKs, from their published packages. Their worker is killed during and after
// each request to a model: the next attempt gets the recorded answers, and its answer and files are those of an
// undisturbed turn.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { findService } from "@dari/testkit";
import { deploy } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { sdkAgents } from "./counting-agents.ts";
import { counting, requestsOfTurn as total, type CountingModel } from "../src/counting-model.ts";
import {
  begin,
  costOf,
  differencesOf,
  killWorkers,
  resultOf,
  resumptionOf,
  startCountingFleet,
  untilHeld,
  untilStored,
  type Resumption,
} from "./recorded-turns.ts";

const isolated = (await createBwrapDriver().probe()).ok ? describe : describe.skip;

/** Turns at the same time: some SDKs need seconds of the processor to start. */
const slots = 5;

let model: CountingModel;
let fleet: Fleet;

beforeAll(async () => {
  model = await counting();
  fleet = await startCountingFleet(model, {
    redisUrl: findService("redis")?.url,
    env: { DARI_SANDBOX: "bwrap", DARI_WORKER_SLOTS: String(slots), DARI_LEASE_MS: "8000" },
  });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await model[Symbol.asyncDispose]();
}, 120_000);

/** The agent ends after the last answer, so no turn is killed there. */
const points = Array.from({ length: total }, (_, at) => at + 1).flatMap((number) =>
  number < total
    ? [
        { number, when: "during" as const },
        { number, when: "after" as const },
      ]
    : [{ number, when: "during" as const }],
);

isolated.each(sdkAgents)("$title", ({ title, files, prefix }) => {
  test("is killed during and after each request", async () => {
    const { agentId } = await deploy(fleet, files(model, { record_answers: true, max_attempts: 20 }));
    const undisturbed = await begin(fleet, agentId, `${prefix}-undisturbed`);
    const expected = await resultOf(fleet, undisturbed);
    expect(await costOf(fleet, model, undisturbed)).toMatchObject({ asked: total, recorded: 0 });
    const notes = Array.from({ length: total - 1 }, (_, at) => at + 1);
    expect(expected).toEqual({
      text: `noted ${notes.map((number) => `kept ${number}`).join(", ")}`,
      files: { "/notes.txt": notes.map((number) => `NAME ${number}\n`).join("") },
    });

    const resumed: Resumption[] = [];
    for (let from = 0; from < points.length; from += slots) {
      const some = points.slice(from, from + slots).map((point) => {
        const name = `${prefix}-${point.when}-${point.number}`;
        return { ...point, name, held: model.hold(name, point.number, point.when) };
      });
      const turns = await Promise.all(some.map(({ name }) => begin(fleet, agentId, name)));
      try {
        await untilHeld(some.map(({ held }) => held));
        for (const [at, { number, when }] of some.entries()) {
          await untilStored(fleet, model, turns[at]!, when === "during" ? number - 1 : number);
        }
        await killWorkers(fleet);
      } finally {
        // Turns that stay would take the slots of the next agent's.
        for (const { held } of some) held.release();
      }
      for (const [at, { when }] of some.entries()) {
        const turn = turns[at]!;
        expect({ turn: turn.name, ...(await resultOf(fleet, turn)) }).toEqual({ turn: turn.name, ...expected });
        const cost = { ...(await costOf(fleet, model, turn)), differences: differencesOf(model, turn.name) };
        const asked = cost.lost === 1 ? total + (when === "during" ? 1 : 0) : cost.asked;
        expect(cost).toEqual({ ...cost, asked, isFew: true });
        expect(model.aside(turn.name)).toBeLessThanOrEqual(model.aside(undisturbed.name) + cost.lost);
        const resumption = cost.lost === 1 ? await resumptionOf(fleet, model, turn) : undefined;
        if (resumption !== undefined) resumed.push(resumption);
      }
    }
    process.stdout.write(`${JSON.stringify({ title, resumed_ms: resumed })}\n`);
  }, 1_200_000);
});

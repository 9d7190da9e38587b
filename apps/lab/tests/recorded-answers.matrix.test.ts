// Agents whose worker is killed during and after each of their requests to a model: the next attempt gets the recorded
// answers, so the model is asked at most once more than in an undisturbed turn, and the answer is the same.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { atNight, findService, isNightly, waitUntil } from "@dari/testkit";
import { deploy, ended, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { seededRandom } from "../src/chaos/seeded-random.ts";
import { openaiAgent, plainAgent } from "./counting-agents.ts";
import { counting, requestsOfTurn as total, type CountingModel } from "../src/counting-model.ts";
import { begin, costOf, countRows, killWorkers, startCountingFleet, untilStored } from "./recorded-turns.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? describe : describe.skip;

let model: CountingModel;
let fleet: Fleet;

/** All turns of one kill run at the same time. */
const slots = 2 * total + 2;

beforeAll(async () => {
  model = await counting();
  fleet = await startCountingFleet(model, {
    redisUrl: findService("redis")?.url,
    env: {
      ...(isIsolated ? { DARI_SANDBOX: "bwrap" } : {}),
      DARI_WORKER_SLOTS: String(slots),
      DARI_LEASE_MS: "8000",
    },
  });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await model[Symbol.asyncDispose]();
}, 120_000);

isolated.each(isNightly() ? [plainAgent, openaiAgent] : [plainAgent])("$title", ({ files, prefix }) => {
  let agentId: string;
  let expected: string;
  beforeAll(async () => {
    ({ agentId } = await deploy(fleet, files(model, { record_answers: true, max_attempts: 20 })));
    const { id: session } = await fleet.client.createSession(agentId);
    expected = textOf(await send(fleet, session, `${prefix}-undisturbed`));
    expect(model.asked(`${prefix}-undisturbed`)).toBe(total);
    expect(await countRows(fleet, "recorded_answers", session)).toBe(0);
  }, 300_000);

  test("is killed during and after each request", async () => {
    const points = Array.from({ length: total }, (_, at) => at + 1).flatMap((number) => [
      { number, when: "during" as const },
      { number, when: "after" as const },
    ]);
    const held = points.map(({ number, when }) => model.hold(`${prefix}-${when}-${number}`, number, when));
    const turns = await Promise.all(
      points.map(({ number, when }) => begin(fleet, agentId, `${prefix}-${when}-${number}`)),
    );
    await Promise.all(held.map(({ reached }) => reached));
    for (const [at, turn] of turns.entries()) {
      const { number, when } = points[at]!;
      await untilStored(fleet, model, turn, when === "during" ? number - 1 : number);
    }
    await killWorkers(fleet);
    for (const { release } of held) release();
    for (const [at, turn] of turns.entries()) {
      const record = await ended(fleet, turn.record.id, 120_000);
      expect({ turn: turn.name, text: textOf(record) }).toEqual({ turn: turn.name, text: expected });
      const { number, when } = points[at]!;
      const told = await costOf(fleet, model, turn);
      // What was being answered is asked once more. What was answered is not.
      const isOnce = told.lost === 1;
      const exactly = {
        asked: when === "during" ? total + 1 : total,
        recorded: when === "during" ? number - 1 : number,
      };
      expect(told).toEqual({ ...told, ...(isOnce ? exactly : {}), isFew: true });
      expect(await countRows(fleet, "recorded_answers", turn.session)).toBe(0);
    }
  }, 300_000);

  if (prefix !== plainAgent.prefix) return;

  atNight(test)(
    "is killed at random moments, again and again",
    async () => {
      const seed = Number(process.env["DARI_TEST_SEED"] ?? Date.now() % 1_000_000);
      const random = seededRandom(seed);
      let kills = 0;
      for (let round = 0; round < 2; round++) {
        const turns = await Promise.all(
          Array.from({ length: slots }, (_, at) => begin(fleet, agentId, `counted-random-${round}-${at}`)),
        );
        for (let kill = 0; kill < 2; kill++) {
          const from = model.total();
          const until = from + 1 + Math.floor(random() * slots * 3);
          await waitUntil(() => model.total() >= until || turns.every(({ name }) => model.asked(name) >= total), {
            what: "some requests",
            timeoutMs: 60_000,
          });
          await killWorkers(fleet);
          kills += 1;
        }
        for (const turn of turns) {
          const text = textOf(await ended(fleet, turn.record.id, 120_000));
          expect({ seed, turn: turn.name, text }).toEqual({ seed, turn: turn.name, text: expected });
          expect(await costOf(fleet, model, turn)).toMatchObject({ isFew: true });
        }
      }
      expect(kills).toBe(4);
    },
    600_000,
  );

  test("a request that differs goes to the model, and the turn's log says so", async () => {
    const held = model.hold("counted-differs", 3, "during");
    const turn = await begin(fleet, agentId, "counted-differs");
    await held.reached;
    await killWorkers(fleet);
    held.release();
    expect(textOf(await ended(fleet, turn.record.id, 120_000))).toBe(expected);
    expect(await costOf(fleet, model, turn)).toMatchObject({ lost: 1, asked: 2 + total + 1, recorded: 0 });
    expect(await fleet.client.getMessageLogs(turn.record.id)).toContain("2 recorded ones are not used yet");
  }, 120_000);

  atNight(test)(
    "an agent that does not ask for it records nothing, and pays again",
    async () => {
      const { agentId: other } = await deploy(fleet, files(model, { max_attempts: 20 }));
      const held = model.hold("counted-unrecorded", 4, "during");
      const turn = await begin(fleet, other, "counted-unrecorded");
      await held.reached;
      expect(await countRows(fleet, "recorded_answers", turn.session)).toBe(0);
      await killWorkers(fleet);
      held.release();
      expect(textOf(await ended(fleet, turn.record.id, 120_000))).toBe(expected);
      expect(await costOf(fleet, model, turn)).toMatchObject({ lost: 1, asked: total + 4, recorded: 0 });
    },
    300_000,
  );
});

// What `npm run lab -- recorded-kills` runs: see apps/lab/src/recorded-kills.ts.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findService, waitUntil } from "@dari/testkit";
import { wantedKills } from "../src/config.ts";
import { deploy } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { seededRandom } from "../src/chaos/seeded-random.ts";
import { openaiAgent, plainAgent, sdkAgents } from "./counting-agents.ts";
import { counting, requestsOfTurn, type CountingModel } from "../src/counting-model.ts";
import { begin, costOf, differencesOf, resultOf, startCountingFleet, type SentTurn } from "./recorded-turns.ts";

const wanted = wantedKills();
const program = wanted === undefined ? describe.skip : describe;

const [workers, slotsOfWorker, killsOfSeed] = [3, 6, 6];
const turnsOfSeed = workers * slotsOfWorker;
/** How long the model takes for an answer at most, in milliseconds. */
const answerWithinMs = 600;

program("kills at random moments", () => {
  const { kills = 0, seed: firstSeed = 0, minutes = 0, agents = [] } = wanted ?? {};
  let random = seededRandom(firstSeed);
  let model: CountingModel;
  let fleet: Fleet;
  beforeAll(async () => {
    model = await counting(() => Math.floor(random() * answerWithinMs));
    const env = { DARI_SANDBOX: "bwrap", DARI_WORKER_SLOTS: String(slotsOfWorker), DARI_LEASE_MS: "8000" };
    fleet = await startCountingFleet(model, { redisUrl: findService("redis")?.url, workers, env });
  }, 120_000);
  afterAll(async () => {
    expect(await fleet.close()).toEqual(noRemains);
    await model[Symbol.asyncDispose]();
  }, 120_000);

  async function killOne(turns: readonly SentTurn[]): Promise<void> {
    const until = model.total() + 1 + Math.floor(random() * turnsOfSeed);
    const areAnswered = (): boolean => turns.every(({ name }) => model.asked(name) >= requestsOfTurn);
    await waitUntil(() => model.total() >= until || areAnswered(), { what: "some requests", timeoutMs: 120_000 });
    const running = fleet.workers.filter((worker) => worker.isRunning);
    await running[Math.floor(random() * running.length)]!.kill();
    await fleet.startWorker();
  }

  test(
    "each turn is as an undisturbed one",
    async () => {
      const chosen = [plainAgent, openaiAgent, ...sdkAgents].filter(({ prefix }) =>
        agents.includes(prefix.slice("counted-".length)),
      );
      expect(chosen).toHaveLength(agents.length);
      const known = await Promise.all(
        chosen.map(async ({ prefix, files }) => {
          const { agentId } = await deploy(fleet, files(model, { record_answers: true, max_attempts: 20 }));
          const expected = await resultOf(fleet, await begin(fleet, agentId, `${prefix}-undisturbed`));
          return { prefix, agentId, expected };
        }),
      );
      const until = Date.now() + minutes * 60_000;
      const sum = { seeds: 0, kills: 0, turns: 0, lost: 0, asked: 0, recorded: 0 };
      for (let seed = firstSeed; sum.lost < kills && Date.now() < until; seed++) {
        random = seededRandom(seed);
        const of = (at: number) => known[at % known.length]!;
        const turns = await Promise.all(
          Array.from({ length: turnsOfSeed }, (_, at) =>
            begin(fleet, of(at).agentId, `${of(at).prefix}-random-${seed}-${at}`),
          ),
        );
        for (let kill = 0; kill < killsOfSeed; kill++) await killOne(turns);
        for (const [at, turn] of turns.entries()) {
          const result = await resultOf(fleet, turn);
          expect({ seed, turn: turn.name, ...result }).toEqual({ seed, turn: turn.name, ...of(at).expected });
          const cost = { ...(await costOf(fleet, model, turn)), differences: differencesOf(model, turn.name) };
          expect({ seed, ...cost }).toEqual({ seed, ...cost, isFew: true });
          for (const name of ["lost", "asked", "recorded"] as const) sum[name] += cost[name];
        }
        sum.seeds += 1;
        sum.kills += killsOfSeed;
        sum.turns += turns.length;
        process.stdout.write(`${JSON.stringify({ seed, ...sum })}\n`);
      }
      expect(sum.lost).toBeGreaterThanOrEqual(kills);
    },
    (minutes + 10) * 60_000,
  );
});

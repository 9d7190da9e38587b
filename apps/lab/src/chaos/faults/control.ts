// Faults of what decides and delivers: APIs and dispatchers that die at the worst moments, and wrong clocks.

import { limits } from "@dari/domain";
import { endsPostgresReply, waitUntil } from "@dari/testkit";
import { pick } from "../load/generator.ts";
import { stepClock } from "../stage/debugger.ts";
import type { StageProgram } from "../stage/stage-program.ts";
import type { Stage } from "../stage/stage.ts";
import type { Fault, Heal, Scene } from "./fault.ts";
import { withoutQueue } from "./redis.ts";
import { settlesWithoutError } from "./observations.ts";

/** The lead's time to live, the other's next check, and some reserve. In milliseconds. */
const leadMs = 2_000;
/** An undelivered dispatch expires after five seconds and is reaped. */
const dispatchLostMs = 7_000;

export const controlFaults: readonly Fault[] = [
  {
    number: 16,
    name: "api-killed",
    says: "kill -9 of an API, at any time and between the commit of an accept and what follows it",
    holds: ["api"],
    rounds: 4,
    lastsMs: () => 1_000,
    bounds: { gapMs: dispatchLostMs, lostAttempts: 0 },
    async inject(scene, round) {
      const api = pick(scene.stage.apis, scene.random);
      let isCaught = true;
      if (round % 2 === 1) {
        const committed = { request: "accept_message", endsReply: endsPostgresReply, then: "hold" } as const;
        isCaught = await settlesWithoutError(api.database.dropReply(committed, soon(scene)));
      }
      await api.program.kill();
      if (isCaught) scene.seen();
      return () => {
        api.database.forward();
        return api.restart();
      };
    },
  },
  {
    number: 17,
    name: "leader-lost",
    says: "the leading dispatcher is killed, or stopped past its lead so that two lead when it wakes",
    holds: ["reconciler"],
    rounds: 4,
    lastsMs: () => 4_000,
    bounds: { gapMs: 3_000, lostAttempts: 0 },
    async inject(scene, round) {
      const leader = await findLeader(scene);
      if (leader === undefined) return async () => {};
      const lead = await readLead(scene.stage);
      if (round % 2 === 0) await leader.program.kill();
      else leader.program.signal("SIGSTOP");
      if (await measureSuccession(scene, lead)) scene.seen();
      return () => (round % 2 === 0 ? leader.restart() : leader.program.signal("SIGCONT"));
    },
  },
  {
    number: 18,
    name: "delivery-lost",
    says: "who dispatches dies when sessions are dispatched and their jobs are not yet added: the leader, and an API",
    holds: ["reconciler", "redis", "api"],
    rounds: 3,
    lastsMs: () => 1_000,
    bounds: { gapMs: dispatchLostMs, startMs: dispatchLostMs, lostAttempts: 0 },
    unavailable: withoutQueue,
    async inject(scene) {
      const leader = (await findLeader(scene)) ?? scene.stage.reconcilers[0]!;
      const dispatchers = [leader, pick(scene.stage.apis, scene.random)];
      for (const { redis } of dispatchers) redis.blackHole();
      const unclaimed = await awaitUnclaimed(scene.stage);
      await Promise.all(dispatchers.map(({ program }) => program.kill()));
      return async () => {
        // A late delivery would have been claimed by now.
        const still = await listUnclaimed(scene.stage);
        if (unclaimed.some((one) => still.includes(one))) scene.seen();
        for (const { redis } of dispatchers) redis.forward();
        await Promise.all(dispatchers.map((one) => one.restart()));
      };
    },
  },
  {
    number: 19,
    name: "clocks-stepped",
    says: "the clocks of a worker, an API and a dispatcher jump an hour forth and back",
    holds: ["worker", "api", "reconciler"],
    rounds: 4,
    lastsMs: () => 5_000,
    bounds: { lostAttempts: 0, gapMs: 3_000 },
    inject: (scene, round) => stepClocks(scene, round % 2 === 0 ? hourMs : -hourMs),
  },
];

/** Returns dispatches that no worker has claimed although it had time to. */
async function listUnclaimed(stage: Stage): Promise<string[]> {
  const result = await stage.ask<{ dispatch: string }>(
    `select id || ' ' || dispatch_number as dispatch from dari.sessions
      where schedule = 'dispatched' and lease_until < clock_timestamp() + $1 * interval '1 millisecond'`,
    [dispatchTtlMs - unclaimedMs],
  );
  return result.map(({ dispatch }) => dispatch);
}

async function awaitUnclaimed(stage: Stage): Promise<string[]> {
  const some = async (): Promise<string[] | false> => {
    const found = await listUnclaimed(stage);
    return found.length > 0 && found;
  };
  return waitUntil(some, { what: "a dispatch that is not delivered", timeoutMs: 5_000 }).catch(() => []);
}

const { dispatchTtlMs } = limits;
const unclaimedMs = 200;
const hourMs = 3_600_000;

function soon({ signal }: Scene): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
}

/** Returns the reconciler whose connection sends the leader's name; undefined if none does so within 3 s. */
export async function findLeader({ stage, signal }: Scene): Promise<StageProgram | undefined> {
  const holder = await readLead(stage);
  const done = new AbortController();
  const limit = AbortSignal.any([signal, done.signal, AbortSignal.timeout(3_000)]);
  try {
    return await Promise.any(stage.reconcilers.map((one) => one.database.hears(holder, limit).then(() => one)));
  } catch {
    return undefined;
  } finally {
    done.abort();
  }
}

async function readLead(stage: Stage): Promise<string> {
  const query = "select holder from dari.leaders where name = 'dispatcher'";
  return (await stage.ask<{ holder: string }>(query))[0]?.holder ?? "";
}

async function measureSuccession(scene: Scene, from: string): Promise<boolean> {
  const lostAt = performance.now();
  const succeeded = async (): Promise<boolean> => (await readLead(scene.stage)) !== from;
  const isSucceeded = await settlesWithoutError(waitUntil(succeeded, { what: "another leader", timeoutMs: 15_000 }));
  scene.measure("leader_takeover_ms", performance.now() - lostAt, leadMs);
  return isSucceeded;
}

async function stepClocks({ stage, random, seen }: Scene, byMs: number): Promise<Heal> {
  const stepped = [pick(stage.workers, random), pick(stage.apis, random), pick(stage.reconcilers, random)];
  const offsets = await Promise.all(stepped.map(({ program }) => stepClock(program, byMs)));
  if (offsets.every((offset) => offset === byMs)) seen();
  return async () => {
    await Promise.all(stepped.map(({ program }) => stepClock(program, 0)));
  };
}

// Postgres that restarts, crashes, is unavailable for long, breaks connections, holds locks, or loses replies.

import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "@dari/db";
import { endsHttpReply, endsPostgresReply } from "@dari/testkit";
import { pick } from "../load/generator.ts";
import { timing, type Stage } from "../stage/stage.ts";
import type { Fault, Heal, Scene } from "./fault.ts";
import { isLockAwaited } from "./observations.ts";

/** After it is back: connections, one lease of grace before anything is reaped, and dispatch. In milliseconds. */
const gapMs = 5_000;

export const postgresFaults: readonly Fault[] = [
  {
    number: 11,
    name: "postgres-restarted",
    says: "a fast shutdown and a start",
    holds: ["postgres"],
    rounds: 3,
    lastsMs: () => 500,
    bounds: { gapMs, lostAttempts: 0 },
    inject: (scene) => takeAway(scene, "SIGINT"),
  },
  {
    number: 12,
    name: "postgres-crashed",
    says: "an immediate shutdown, after which the log is replayed",
    holds: ["postgres"],
    rounds: 3,
    lastsMs: () => 500,
    bounds: { gapMs, lostAttempts: 0 },
    inject: (scene) => takeAway(scene, "SIGQUIT"),
  },
  {
    number: 13,
    name: "postgres-down",
    says: "a crash, and away for three leases",
    holds: ["postgres"],
    rounds: 1,
    lastsMs: () => 3 * timing.leaseMs,
    bounds: { gapMs, lostAttempts: 0 },
    inject: (scene) => takeAway(scene, "SIGQUIT"),
  },
  {
    number: 14,
    name: "postgres-troubled",
    says: "connections are killed, a session's row is locked, an old snapshot is held, no connection is left",
    holds: ["postgres"],
    rounds: 4,
    lastsMs: (_scene, round) => (round % 4 === 0 ? 4_000 : 10_000),
    bounds: { lostAttempts: 0, gapMs },
    inject(scene, round) {
      const troubles = [killConnections, lockSession, holdSnapshot, takeConnections];
      return troubles[round % troubles.length]!(scene);
    },
  },
  {
    number: 15,
    name: "reply-lost",
    says: "what was committed is not answered: an accept, a finish, and the API's own reply",
    holds: ["postgres", "api"],
    rounds: 3,
    lastsMs: () => 4_000,
    bounds: { gapMs },
    inject: (scene, round) => Promise.resolve(loseReplies(scene, round)),
  },
];

async function takeAway(scene: Scene, signal: "SIGINT" | "SIGQUIT"): Promise<Heal> {
  const excused = scene.excuse();
  await scene.stage.postgres.end(signal);
  scene.seen();
  return async () => {
    await scene.stage.postgres.start();
    excused();
  };
}

/** Repeatedly, whatever they are doing. */
async function killConnections({ stage, seen }: Scene): Promise<Heal> {
  const stop = new AbortController();
  let killed = 0;
  const killing = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const result = await stage.db.pool
        .query(
          `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
            where application_name like 'dari-%' and application_name <> 'dari-lab' order by random() limit 3) x`,
        )
        .catch(() => undefined);
      killed += result?.rows.length ?? 0;
      await sleep(250);
    }
  })();
  return async () => {
    stop.abort();
    await killing;
    if (killed > 0) seen();
  };
}

async function lockSession(scene: Scene): Promise<Heal> {
  const tenant = pick(scene.tenants, scene.random);
  const sessionId = pick(tenant.sessionIds, scene.random);
  const unlock = await holdTransaction(scene.stage, `select 1 from dari.sessions where id = '${sessionId}' for update`);
  void scene.sending.send(tenant, { sessionId });
  return async () => {
    if (await isLockAwaited(scene.stage)) scene.seen();
    await unlock();
  };
}

async function holdSnapshot({ stage, seen }: Scene): Promise<Heal> {
  const statement = "set transaction isolation level repeatable read; select count(*) from dari.events";
  const release = await holdTransaction(stage, statement);
  return async () => {
    const query = "select 1 from pg_stat_activity where state = 'idle in transaction' and backend_xmin is not null";
    if ((await stage.ask(query)).length > 0) seen();
    await release();
  };
}

/** Opens a connection of the run with an open transaction. */
async function holdTransaction(stage: Stage, statement: string): Promise<Heal> {
  const client = await stage.db.pool.connect();
  client.on("error", () => undefined);
  await client.query("set idle_in_transaction_session_timeout = 0");
  await client.query(`begin; ${statement}`);
  return async () => {
    await client.query("rollback").catch(() => undefined);
    client.release(true);
  };
}

/** Takes the server's remaining connections, so that no client gets a new one. */
async function takeConnections({ stage, seen }: Scene): Promise<Heal> {
  const greedy = openDatabase({ url: stage.postgres.url, poolMax: 500, applicationName: "lab-greedy" });
  const taken: { release(): void }[] = [];
  try {
    for (;;) taken.push(await greedy.pool.connect());
  } catch {
    // All connections are taken.
    seen();
  }
  return async () => {
    for (const connection of taken) connection.release();
    await greedy.close();
  };
}

function loseReplies(scene: Scene, round: number): Heal {
  const { stage, random } = scene;
  const stop = new AbortController();
  const kinds = [
    { proxies: stage.apis.map(({ database }) => database), request: "accept_message", endsReply: endsPostgresReply },
    { proxies: stage.workers.map(({ database }) => database), request: "finish_turn", endsReply: endsPostgresReply },
    { proxies: stage.apis.map(({ front }) => front), request: "/messages/async", endsReply: endsHttpReply },
  ];
  const { proxies, request, endsReply } = kinds[round % kinds.length]!;
  let lost = 0;
  const losing = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await pick(proxies, random).dropReply({ request, endsReply, then: "cut" }, stop.signal);
      lost += 1;
    }
  })().catch(() => undefined);
  return async () => {
    stop.abort();
    await losing;
    if (lost > 0) scene.seen();
  };
}

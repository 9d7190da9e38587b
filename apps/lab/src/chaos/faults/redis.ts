// Redis that loses data, dies, comes back with less, is full, slow or silent. It is expendable: no turn may depend on
// it.

import type { Stage } from "../stage/stage.ts";
import type { Fault, Scene } from "./fault.ts";

/** Without Redis, workers notice after a second and pull. */
const gapMs = 2_000;
const backWithinMs = 3_000;

export const redisFaults: readonly Fault[] = [
  {
    number: 5,
    name: "redis-flushed",
    says: "FLUSHALL, with jobs waiting",
    holds: ["redis"],
    rounds: 6,
    lastsMs: () => 0,
    bounds: { startMs: 1_000, gapMs },
    unavailable: withoutQueue,
    async inject({ stage, seen }) {
      const before = await stage.redis.command("DBSIZE");
      await stage.redis.command("FLUSHALL");
      if (before !== ":0") seen();
      return () => undefined;
    },
  },
  {
    number: 6,
    name: "redis-killed",
    says: "kill -9 of Redis, which comes back from its log of writes",
    holds: ["redis"],
    rounds: 3,
    lastsMs: () => 1_000,
    bounds: { gapMs: backWithinMs },
    unavailable: withoutQueue,
    async inject(scene) {
      await killRedis(scene);
      return () => scene.stage.redis.start("log");
    },
  },
  {
    number: 7,
    name: "redis-wiped",
    says: "kill -9 of Redis, which comes back with nothing",
    holds: ["redis"],
    rounds: 3,
    lastsMs: () => 1_000,
    bounds: { gapMs: backWithinMs },
    unavailable: withoutQueue,
    async inject(scene) {
      await killRedis(scene);
      return () => scene.stage.redis.start("nothing");
    },
  },
  {
    number: 8,
    name: "redis-down",
    says: "Redis is away for ten seconds, and for a minute",
    holds: ["redis"],
    rounds: 2,
    lastsMs: ({ isAlone }, round) => (isAlone && round % 2 === 1 ? 60_000 : 10_000),
    bounds: { gapMs, acceptMs: 1_000 },
    unavailable: withoutQueue,
    async inject(scene) {
      await killRedis(scene);
      return () => scene.stage.redis.start("log");
    },
  },
  {
    number: 9,
    name: "redis-full",
    says: "Redis is at its maxmemory: it refuses writes, or evicts what it holds",
    holds: ["redis"],
    rounds: 2,
    lastsMs: () => 8_000,
    bounds: { acceptMs: 1_000, gapMs: 7_000 },
    unavailable: withoutQueue,
    async inject({ stage, seen }, round) {
      const evicts = round % 2 === 1;
      await stage.redis.command(`CONFIG SET maxmemory-policy ${evicts ? "allkeys-random" : "noeviction"}`);
      const before = await stage.redis.command(evictedKeys);
      await stage.redis.command("CONFIG SET maxmemory 1mb");
      return async () => {
        const isFull = (await stage.redis.command("SET lab:probe 1 PX 1")).startsWith("-OOM");
        if (evicts ? (await stage.redis.command(evictedKeys)) !== before : isFull) seen();
        await stage.redis.command("CONFIG SET maxmemory 0");
        await stage.redis.command("CONFIG SET maxmemory-policy noeviction");
      };
    },
  },
  {
    number: 10,
    name: "redis-silent",
    says: "Redis answers late, or hangs, or its network drops everything",
    holds: ["redis"],
    rounds: 3,
    lastsMs: () => 8_000,
    bounds: { acceptMs: 1_000, gapMs: 4_000 },
    unavailable: withoutQueue,
    async inject({ stage, seen }, round) {
      if (stage.workers.some(({ redis }) => redis.connections > 0)) seen();
      if (round % 3 === 0) for (const { redis } of stage.programs) redis.delay(200);
      else if (round % 3 === 1) stage.redis.signal("SIGSTOP");
      else for (const { redis } of stage.programs) redis.blackHole();
      return () => {
        stage.redis.signal("SIGCONT");
        restoreRedis(stage);
      };
    },
  },
];

/** Returns an integer. */
const evictedKeys = `EVAL "return tonumber(redis.call('info','stats'):match('evicted_keys:(%d+)'))" 0`;

async function killRedis({ stage, seen }: Scene): Promise<void> {
  const hadClients = stage.workers.some(({ redis }) => redis.connections > 0);
  await stage.redis.kill();
  if (hadClients && !stage.redis.isRunning) seen();
}

export function withoutQueue({ delivery }: Stage): string | undefined {
  return delivery === "pull" ? "no program used Redis" : undefined;
}

function restoreRedis(stage: Stage): void {
  for (const { redis } of stage.programs) redis.forward();
}

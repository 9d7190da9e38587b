// pg-boss with its fastest settings: workers woken by NOTIFY, jobs taken in batches, the shortest poll it allows.

import { PgBoss } from "pg-boss";
import { listenForDone } from "./listen.ts";
import type { Peer, PeerSettings } from "./peer.ts";
import { accept, carryOut, type TurnJob } from "./rows.ts";

const queueName = "turns";

async function start({ databaseUrl }: PeerSettings): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: databaseUrl, max: 10, useListenNotify: true });
  boss.on("error", (error) => process.stderr.write(`${error.message}\n`));
  await boss.start();
  await boss.createQueue(queueName, { notify: true });
  return boss;
}

export const pgBoss: Peer = {
  async produce(pool, settings, onDone) {
    const boss = await start(settings);
    await listenForDone(settings.databaseUrl, onDone);
    return {
      async send(turn) {
        await accept(pool, turn);
        await boss.send(queueName, { id: turn.id, session: turn.session });
      },
    };
  },

  async consume(pool, settings) {
    const boss = await start(settings);
    const options = { batchSize: 25, localConcurrency: 2, pollingIntervalSeconds: 0.5 };
    await boss.work<TurnJob>(queueName, options, async (jobs) => {
      await Promise.all(jobs.map((job) => carryOut(pool, job.data, true)));
    });
  },
};

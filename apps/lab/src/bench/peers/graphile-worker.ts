// graphile-worker, tuned as its documentation on performance says: jobs taken by the hundred, completed in batches. The
// job is added in the statement that writes the message, which is its main advantage.

import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { listenForDone } from "./listen.ts";
import type { Peer } from "./peer.ts";
import { accept, carryOut, type TurnJob } from "./rows.ts";

const silent = new Logger(() => () => undefined);

export const graphileWorker: Peer = {
  async produce(pool, { databaseUrl }, onDone) {
    const utils = await makeWorkerUtils({ connectionString: databaseUrl, logger: silent });
    await utils.migrate();
    await utils.release();
    await listenForDone(databaseUrl, onDone);
    return {
      send: (turn) =>
        accept(pool, turn, {
          text: "graphile_worker.add_job('turn', $6::json)",
          values: [JSON.stringify({ id: turn.id, session: turn.session })],
        }),
    };
  },

  async consume(pool, { databaseUrl }) {
    await run({
      preset: {
        worker: {
          connectionString: databaseUrl,
          concurrentJobs: 24,
          pollInterval: 1_000,
          maxPoolSize: 20,
          localQueue: { size: 100 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      noHandleSignals: true,
      logger: silent,
      taskList: { turn: (payload) => carryOut(pool, payload as TurnJob, true) },
    });
  },
};

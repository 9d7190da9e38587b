// Batches cost the same however large their organization is.

import { expect, test } from "@jest/globals";
import { createTestAgent, createTestBatch, unguardEdgesSql } from "@dari/testkit";
import { sql } from "kysely";
import { withTransaction } from "../src/index.ts";
import { countRowsRead } from "./rows-read.ts";
import { openScene } from "./scene.ts";

test("a batch reads none of the messages that have ended, and counts those that wait for an input", async () => {
  const scene = await openScene();
  try {
    const { db, organizationId } = scene;
    const { agentId } = await createTestAgent(db, organizationId);
    const start = (): Promise<number> => countRowsRead(db, (tx) => createTestBatch(tx, organizationId, agentId));
    const few = await start();
    await sql`insert into messages (id, organization_id, session_id, sequence_number, parts, max_attempts, state,
        completed_at)
      select 'msg_' || n, organization_id, id, 1_000 + n, '[]', 1, 'cancelled', now()
      from sessions, generate_series(1, 5_000) n where id = ${await scene.session()}`.execute(db.kysely);
    expect(await start()).toBeLessThan(few + 100);
    const waiting = await scene.send(await scene.session());
    await withTransaction(db, async (tx) => {
      await sql.raw(unguardEdgesSql).execute(tx);
      await sql`update messages set state = 'waiting_for_input' where id = ${waiting}`.execute(tx);
    });
    await sql`update organizations set max_backlog = 3`.execute(db.kysely);
    await expect(createTestBatch(db, organizationId, agentId)).rejects.toThrow("backlog_full");
  } finally {
    await scene.close();
  }
});

// Sends many messages, and reads the resulting conversation.

import { sql } from "kysely";
import { turnDetails } from "../src/index.ts";
import type { Scene } from "./scene.ts";

export async function textsOf(scene: Scene, messageId: string): Promise<string[]> {
  const rows = await sql<{ parts: { text: string }[] }>`select parts from messages where id = ${messageId}`.execute(
    scene.db.kysely,
  );
  return rows.rows[0]?.parts.map((part) => part.text) ?? [];
}

/** Returns the history for a message at `sequenceNumber`. */
export async function historyBefore(scene: Scene, session: string, sequenceNumber: number): Promise<string[]> {
  const rows = await turnDetails.listHistoryBefore(scene.db, session, sequenceNumber, 100, 1_000_000);
  return rows.flatMap((row) => [
    ...(row.parts as { text: string }[]).map((part) => part.text),
    ...(row.output === null ? [] : ["(answer)"]),
  ]);
}

/** A hundred per statement, because each leaves an old version of the session's row behind. */
export async function sendMany(scene: Scene, session: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    await sql`select accept_message(${scene.organizationId}, ${session}, ${session} || n, '[]', '{}', '[]', null, null,
      null, 256, 4000000) from generate_series(${at}::int, ${at + 99}) n`.execute(scene.db.kysely);
  }
}

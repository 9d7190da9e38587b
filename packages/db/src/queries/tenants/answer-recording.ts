// Whether an organization allows that answers of models are recorded. Workers read it with their claims (turn_details).

import type { AnswerRecording } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** Returns the setting (primary key); the default if none was set. */
export async function getAnswerRecording(db: Database, organizationId: string): Promise<AnswerRecording> {
  const row = await db.kysely
    .selectFrom("answer_recording_settings")
    .where("organization_id", "=", organizationId)
    .select(sql<AnswerRecording>`mode`.as("mode"))
    .executeTakeFirst();
  return row?.mode ?? "allowed";
}

/** Returns false if there is no such organization (primary keys). */
export async function putAnswerRecordingIfThere(
  db: Database,
  organizationId: string,
  mode: AnswerRecording,
): Promise<boolean> {
  const result = await sql`insert into answer_recording_settings (organization_id, mode)
    select id, ${mode} from organizations where id = ${organizationId} and deleted_at is null
    on conflict (organization_id) do update
      set mode = excluded.mode, updated_at = clock_timestamp()`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

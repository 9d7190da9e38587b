// Finds the message that answered a conversation, for clients that send the conversation instead of an id.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** How many messages with one digest are compared: many conversations begin with the same words. */
const comparedMax = 100;

export interface AnsweredConversation {
  readonly organizationId: string;
  /** Digest of everything that was sent up to the answer. */
  readonly digest: Buffer;
  /** The answer, as the client has it. It can have other paragraphs before the answer itself. */
  readonly answer: string;
}

/**
 * Returns the newest completed message with the digest and the answer, of the 100 newest with the digest (index
 * messages_by_conversation_digest). Leaves out messages that were rolled back, and those of deleted sessions.
 */
export async function findAnswered(db: Database, of: AnsweredConversation): Promise<string | undefined> {
  const result = await sql<{ id: string }>`
    select m.id from (
        select id, session_id, state, output, rolled_back_at, rolled_back_by, created_at from messages
        where organization_id = ${of.organizationId} and conversation_digest = ${of.digest}
        order by created_at desc limit ${sql.lit(comparedMax)}) m
      join sessions s on s.id = m.session_id and s.deleted_at is null
      cross join lateral (
        select coalesce(string_agg(p ->> 'text', '' order by n), '') as text
        from jsonb_array_elements(m.output -> 'parts') with ordinality as parts (p, n)
        where p ->> 'type' = 'text') a
    where m.state = 'completed' and m.rolled_back_at is null and m.rolled_back_by is null
      and (a.text = ${of.answer}
        or (a.text <> '' and right(${of.answer}, length(a.text) + 2) = E'\\n\\n' || a.text))
    order by m.created_at desc limit 1`.execute(db.kysely);
  return result.rows[0]?.id;
}

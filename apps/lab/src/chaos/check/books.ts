// Everything known about a run after its end, read once: what the system recorded, and what was recorded outside of it.

import { readFile } from "node:fs/promises";
import type { Effect } from "../load/agent.ts";
import type { Sent } from "../load/journal.ts";
import type { Stage } from "../stage/stage.ts";

/** The run. A stage may have seen other runs before. */
export interface Run {
  readonly organizationIds: readonly string[];
  /** Organizations in `organizationIds` whose own waiting times are not judged. */
  readonly guestIds: readonly string[];
  /** Recorded outside the system: what agents did. */
  readonly effectsFile: string;
}

export interface MessageBook {
  readonly id: string;
  readonly organizationId: string;
  readonly sessionId: string;
  readonly sequenceNumber: number;
  readonly state: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled";
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly text: string;
  readonly errorCode: string | null;
  /** Wall clock of the database, in milliseconds. */
  readonly createdAt: number;
  readonly completedAt: number | null;
}

export interface AttemptBook {
  readonly id: string;
  readonly messageId: string;
  readonly sessionId: string;
  readonly workerId: string;
  readonly fence: number;
  readonly outcome: string | null;
  readonly failureCode: string | null;
  readonly claimedAt: number;
  readonly calledAt: number | null;
  readonly endedAt: number | null;
}

export interface Books {
  readonly messages: ReadonlyMap<string, MessageBook>;
  /** By message, in the order of their claims. */
  readonly attempts: ReadonlyMap<string, readonly AttemptBook[]>;
  /** By message, in the order in which they were reported. */
  readonly effects: ReadonlyMap<string, readonly Effect[]>;
  readonly sent: readonly Sent[];
}

export async function readBooks(stage: Pick<Stage, "db">, run: Run, sent: readonly Sent[]): Promise<Books> {
  const messages = await stage.db.pool.query<MessageBook>(
    `
    select id, organization_id as "organizationId", session_id as "sessionId", sequence_number as "sequenceNumber",
      state, attempts, max_attempts as "maxAttempts", coalesce(output -> 'parts' -> 0 ->> 'text', '') as text,
      output -> 'error' ->> 'code' as "errorCode", ${milliseconds("created_at")} as "createdAt",
      ${milliseconds("completed_at")} as "completedAt"
    from dari.messages where organization_id = any($1) order by session_id, sequence_number`,
    [run.organizationIds],
  );
  const attempts = await stage.db.pool.query<AttemptBook>(
    `
    select id, message_id as "messageId", session_id as "sessionId", worker_id as "workerId", fence, outcome,
      failure ->> 'code' as "failureCode",
      ${milliseconds("claimed_at")} as "claimedAt", ${milliseconds("called_at")} as "calledAt",
      ${milliseconds("ended_at")} as "endedAt"
    from dari.attempts where organization_id = any($1) order by session_id, fence`,
    [run.organizationIds],
  );
  return {
    messages: new Map(messages.rows.map((row) => [row.id, row])),
    attempts: Map.groupBy(attempts.rows, (row) => row.messageId),
    effects: Map.groupBy(await readEffects(run.effectsFile), (effect) => effect.message),
    sent,
  };
}

const milliseconds = (column: string): string => `(extract(epoch from ${column}) * 1000)::double precision`;

async function readEffects(file: string): Promise<Effect[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Effect];
    } catch {
      // A killed process may not have finished its last line.
      return [];
    }
  });
}

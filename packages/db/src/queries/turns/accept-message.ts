// Accepts a message: one SQL function.

import { limits, type Lane, type MessageLimits, type OnBusy } from "@dari/domain";
import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";

export interface AcceptedMessage {
  readonly outcome: "accepted" | "not_found" | "closed" | "version_failed" | "busy" | "unknown_file" | "input_clash";
  readonly sequenceNumber: number;
  /** What this call moved the session to; null if it did not. */
  readonly schedule: "ready" | "dispatched" | "blocked" | null;
  readonly dispatchNumber: number;
  readonly maxAttempts: number;
  /** Messages that this call ended. */
  readonly ended: readonly string[] | null;
  /** The running message that this call asked to stop. */
  readonly stopping: string | null;
  /** Whether a worker must be told that this message waits for its turn. */
  readonly steers: boolean | null;
  readonly detail: string | null;
}

export interface AttachedFile {
  readonly path: string;
  readonly fileId: string;
}

/**
 * Accepts a message at the session's end and applies `onBusy` to those before it. With `dispatchTtlMs`, an idle session
 * goes straight to `dispatched`, and the caller delivers it.
 */
export async function acceptMessage(
  db: Database,
  input: {
    organizationId: string;
    sessionId: string;
    messageId: string;
    parts: unknown;
    metadata: unknown;
    attachments: readonly AttachedFile[];
    dispatchTtlMs: number | undefined;
    /** Default: the session's setting. */
    onBusy?: OnBusy | undefined;
    /** The failed message of the same session whose attachments this one takes over. */
    retryOf?: string | undefined;
    lane?: Lane | undefined;
    conversationDigest?: Buffer | undefined;
    limits?: MessageLimits | undefined;
  },
): Promise<AcceptedMessage> {
  const attachments = input.attachments.map((one) => ({ path: one.path, file_id: one.fileId }));
  return callOne<AcceptedMessage>(
    db.kysely,
    sql`select outcome, sequence_number as "sequenceNumber", schedule, dispatch_number as "dispatchNumber",
      max_attempts as "maxAttempts", ended, stopping, steers, detail
      from accept_message(p_organization => ${input.organizationId}, p_session => ${input.sessionId},
        p_message => ${input.messageId}, p_parts => ${toJsonb(input.parts)}, p_metadata => ${toJsonb(input.metadata)},
        p_inputs => ${toJsonb(attachments)}, p_dispatch_ttl_ms => ${input.dispatchTtlMs ?? null}::int,
        p_on_busy => ${input.onBusy ?? null}, p_retry_of => ${input.retryOf ?? null},
        p_merge_parts => ${limits.mergedPartsMax}, p_merge_bytes => ${limits.mergedPartsBytes},
        p_background => ${input.lane === "background"}, p_conversation_digest => ${input.conversationDigest ?? null},
        p_limits => ${toJsonb(input.limits ?? null)})`,
  );
}

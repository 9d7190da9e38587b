// An operator's retry of a failed job, from any queue board. Each request retries once.

import type { MessageRecord } from "@dari/contract";
import { createFingerprint, withIdempotencyKey, type Actor, type Control } from "@dari/control/context";
import { recordChange } from "@dari/control/tenants";
import { getMessage, sendAgain } from "@dari/control/turns";
import { AppError } from "@dari/domain";

export interface RetriedJob {
  readonly jobId: string;
  readonly organizationId: string;
  readonly messageId: string;
  /** How often the job has ended. Grows with each requested retry. */
  readonly attemptsMade: number;
}

export type JobRetry =
  /** `messageId`: the new message. */
  | { readonly outcome: "retried"; readonly messageId: string }
  /** The reason of the refusal. */
  | { readonly outcome: "refused"; readonly reason: string }
  /** The job belongs to no failed message. */
  | { readonly outcome: "nothing" };

/**
 * Sends the job's message again as a new one, with an audit entry, in one transaction. An idempotency key in it keeps a
 * job that is delivered twice from being retried twice. @throws if the platform itself fails.
 */
export async function retryJob(control: Control, job: RetriedJob): Promise<JobRetry> {
  const actor: Actor = { organizationId: job.organizationId, keyId: "queue", scopes: ["admin"] };
  try {
    const failed = await getMessage(control, actor, job.messageId);
    if (failed.status !== "failed") return { outcome: "nothing" };
    return { outcome: "retried", messageId: await sendOnce(control, actor, job, failed) };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "internal" || error.code === "unavailable") throw error;
    return error.code === "not_found" ? { outcome: "nothing" } : { outcome: "refused", reason: error.message };
  }
}

async function sendOnce(control: Control, actor: Actor, job: RetriedJob, failed: MessageRecord): Promise<string> {
  const call = {
    method: "RETRY",
    path: "/queue/jobs",
    key: `${job.jobId} ${job.attemptsMade}`,
    fingerprint: createFingerprint(control, job.messageId),
    status: 202,
  };
  const creation = await withIdempotencyKey(control, actor, call, async (inside) => {
    const { messageId } = await sendAgain(inside, actor, failed);
    const details = { new_message_id: messageId, job_id: job.jobId };
    await recordChange(inside, actor, { action: "message.retry", target: job.messageId, details });
    return { resourceId: messageId };
  });
  return creation.replayed ? creation.resourceId : creation.made.resourceId;
}

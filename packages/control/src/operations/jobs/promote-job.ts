// An operator's promotion of a delayed job, from any queue board: its retry starts now.

import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { recordChange } from "@dari/control/tenants";
import { turnJobs } from "@dari/db";

export interface PromotedJob {
  readonly jobId: string;
  readonly organizationId: string;
  readonly sessionId: string;
  readonly dispatchNumber: number;
}

/**
 * Makes a waiting retry due now, and records that in the audit log. Returns whether it did. If this process then dies,
 * the retry is overdue, and the reaper returns it to the dispatcher.
 */
export async function promoteJob(control: Control, job: PromotedJob): Promise<boolean> {
  const actor: Actor = { organizationId: job.organizationId, keyId: "queue", scopes: ["admin"] };
  return inOneTransaction(control, async (inside) => {
    const messageId = await turnJobs.makeRetryDueIfWaiting(inside.db, job);
    if (messageId === undefined) return false;
    await recordChange(inside, actor, { action: "message.promote", target: messageId, details: { job_id: job.jobId } });
    return true;
  });
}

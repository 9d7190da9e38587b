// Decides how the queue's board shows a job that an operator retried.

import type { JobRetry } from "@dari/control/operations";
import type { TurnSettlement } from "@dari/queue";

export function toRetrySettlement(retry: JobRetry): TurnSettlement {
  switch (retry.outcome) {
    case "retried":
      // Complete the job instead of failing it again, so that a bulk retry does not start it twice.
      return { kind: "completed", note: `retried as ${retry.messageId}` };
    case "refused":
      return { kind: "failed", reason: `not retried: ${retry.reason}` };
    case "nothing":
      return { kind: "obsolete" };
  }
}

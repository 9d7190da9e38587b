// What a board shows of a job that an operator has retried.

import type { JobRetry } from "@dari/control/operations";
import type { TurnSettlement } from "@dari/queue";

export function settleRetry(retry: JobRetry): TurnSettlement {
  switch (retry.outcome) {
    case "retried":
      // Not failed again: whoever retries all that has failed must not start this one twice.
      return { kind: "completed", note: `retried as ${retry.messageId}` };
    case "refused":
      return { kind: "failed", reason: `not retried: ${retry.reason}` };
    case "nothing":
      return { kind: "obsolete" };
  }
}

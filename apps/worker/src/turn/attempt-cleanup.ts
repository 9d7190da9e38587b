// What an attempt must do once its end is recorded. Each step adds this where it takes what must be given back, so that
// it happens wherever the attempt fails.

import type { SavedWorkspace } from "@dari/control/storage";
import type { FinishResult } from "@dari/db";
import type { Logger } from "@dari/runtime";

/** What has become of an attempt. */
export interface AttemptOutcome {
  /** Undefined: nothing was recorded, because the claim was superseded or the database failed. */
  readonly recorded: FinishResult["recorded"] | undefined;
  /** The snapshot that the session's next turn starts from. Undefined: it is not from this attempt. */
  readonly saved: SavedWorkspace | undefined;
}

interface Task {
  readonly failedEvent: string;
  readonly run: (outcome: AttemptOutcome) => Promise<void> | void;
}

export class AttemptCleanup {
  readonly #tasks: Task[] = [];

  /** Adds a task, which runs before those that were added earlier. `failedEvent`: the log event if it fails. */
  defer(failedEvent: string, run: Task["run"]): void {
    this.#tasks.push({ failedEvent, run });
  }

  /** Runs each task once, one after the other. A task that fails does not prevent the others. Never rejects. */
  async run(outcome: AttemptOutcome, log: Logger, attemptId: string): Promise<void> {
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      try {
        await task.run(outcome);
      } catch (error) {
        log.warn({ err: error, attempt: attemptId }, task.failedEvent);
      }
    }
  }
}

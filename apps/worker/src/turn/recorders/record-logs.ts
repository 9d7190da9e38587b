// Writes a turn's output to the log of its attempt, in batches. The database refuses a batch if the claim was
// superseded.

import { limits } from "@dari/domain";
import { recordLogs } from "@dari/control/turns";
import type { Claim, Database, LogLine } from "@dari/db";
import type { Logger } from "@dari/runtime";

export interface LogRecorder {
  add(stream: LogLine["stream"], text: string): void;
  /** Adds a line about a connection that was refused or failed. */
  addLostConnection(line: string): void;
  /** Returns the first distinct lines that were added, at most `limits.outputNotesConnections`. */
  lostConnections(): readonly string[];
  /** Resolves when everything that was added is written, or writing it has failed. */
  flush(): Promise<void>;
  /** Stops the periodic writes. */
  stop(): void;
}

const flushEveryMs = 500;

export function startLogRecorder(context: { db: Database; log: Logger }, claim: Claim): LogRecorder {
  const lost = new Set<string>();
  let pending: LogLine[] = [];
  let next = 1;
  let tail = Promise.resolve();
  const flush = (): Promise<void> => {
    if (pending.length === 0) return tail;
    const lines = pending;
    pending = [];
    tail = tail
      .then(() => recordLogs(context.db, claim, lines))
      .then(() => undefined)
      .catch((error: unknown) => context.log.warn({ err: error, session: claim.sessionId }, "turn.logs_lost"));
    return tail;
  };
  const timer = setInterval(() => void flush(), flushEveryMs);
  timer.unref();
  const add = (stream: LogLine["stream"], text: string): void => {
    pending.push({ sequenceNumber: next++, stream, text });
  };
  return {
    add,
    addLostConnection(line) {
      if (lost.size < limits.outputNotesConnections) lost.add(line);
      add("platform", `egress: ${line}\n`);
    },
    lostConnections: () => [...lost],
    flush,
    stop: () => clearInterval(timer),
  };
}

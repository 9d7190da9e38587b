// Writes what a turn prints to its attempt's log, in batches, fenced by its claim.

import { recordLogs, type Claim, type Database, type LogLine } from "@dari/control";
import type { Logger } from "@dari/runtime";

export interface LogRecorder {
  add(stream: LogLine["stream"], text: string): void;
  /** Resolves when everything so far is written, or cannot be. */
  flush(): Promise<void>;
  stop(): void;
}

const flushEveryMs = 500;

export function recordLogsOf(context: { db: Database; log: Logger }, claim: Claim): LogRecorder {
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
  return {
    add(stream, text) {
      pending.push({ sequenceNumber: next++, stream, text });
    },
    flush,
    stop: () => clearInterval(timer),
  };
}

// Reads the output of a message's attempts as text. Every line begins with the name of its stream.

import type { Actor, Control } from "@dari/control/context";
import { attemptLogs } from "@dari/db";
import { notFound } from "@dari/domain";
import { getMessage } from "./get-message.ts";

const rowsPerRead = 200;

export interface LogsInput {
  readonly messageId: string;
  /** Reads only the attempt with this number (default: all attempts). */
  readonly attempt: number | undefined;
  /** Whether each line begins with the time at which it was stored, before the name of its stream. */
  readonly hasTimes?: boolean;
}

/** Returns the text in pieces. @throws AppError `not_found`, before the first piece */
export async function readMessageLogs(
  control: Control,
  actor: Actor,
  input: LogsInput,
): Promise<AsyncIterable<string>> {
  await getMessage(control, actor, input.messageId);
  const all = await attemptLogs.listAttempts(control.db, actor.organizationId, input.messageId);
  const chosen = all.filter((attempt) => input.attempt === undefined || attempt.number === input.attempt);
  if (input.attempt !== undefined && chosen.length === 0) throw notFound("attempt");
  return readAttempts(control, actor, chosen, input.hasTimes ?? false);
}

async function* readAttempts(
  control: Control,
  actor: Actor,
  attempts: readonly attemptLogs.LoggedAttempt[],
  hasTimes: boolean,
): AsyncGenerator<string> {
  for (const [index, attempt] of attempts.entries()) {
    yield `== attempt ${nameOf(attempt, attempts[index - 1])}\n`;
    let after = -1;
    let openStream: string | undefined;
    for (;;) {
      const rows = await attemptLogs.listAttemptLogs(control.db, actor.organizationId, attempt.id, after, rowsPerRead);
      for (const row of rows) {
        yield labelLines(row, openStream, hasTimes);
        openStream = row.text.endsWith("\n") ? undefined : row.stream;
      }
      after = rows.at(-1)?.sequenceNumber ?? after;
      if (rows.length < rowsPerRead) break;
    }
    if (openStream !== undefined) yield "\n";
  }
}

/**
 * Returns an attempt's heading. If the attempt before did not count, both have the same number, so this one is marked.
 */
function nameOf({ number }: attemptLogs.LoggedAttempt, before: attemptLogs.LoggedAttempt | undefined): string {
  if (before?.number !== number) return String(number);
  return `${number}, ${before.outcome === "suspended" ? "continued" : "again"}`;
}

/**
 * Labels the lines of a row. `openStream`: the stream whose last line has not ended; its next row continues the line.
 */
function labelLines(row: attemptLogs.AttemptLogRow, openStream: string | undefined, hasTimes: boolean): string {
  const label = `${hasTimes ? `${row.createdAt.toISOString()} ` : ""}[${row.stream}] `;
  const lines = row.text.replace(/\n(?!$)/g, `\n${label}`);
  if (openStream === row.stream) return lines;
  return `${openStream === undefined ? "" : "\n"}${label}${lines}`;
}

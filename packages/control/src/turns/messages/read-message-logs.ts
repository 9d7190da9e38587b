// Reads the output of a message's attempts as text; every line names its stream.

import type { Actor, Control } from "@dari/control/context";
import { attemptLogs } from "@dari/db";
import { notFound } from "@dari/domain";
import { getMessage } from "./get-message.ts";

const rowsPerRead = 200;

/** `attempt`: only the attempt with this number. @throws AppError `not_found`, before the first piece. */
export async function readMessageLogs(
  control: Control,
  actor: Actor,
  input: { messageId: string; attempt: number | undefined },
): Promise<AsyncIterable<string>> {
  await getMessage(control, actor, input.messageId);
  const all = await attemptLogs.listAttempts(control.db, actor.organizationId, input.messageId);
  const chosen = all.filter((attempt) => input.attempt === undefined || attempt.number === input.attempt);
  if (input.attempt !== undefined && chosen.length === 0) throw notFound("attempt");
  return readAttempts(control, actor, chosen);
}

async function* readAttempts(
  control: Control,
  actor: Actor,
  attempts: readonly attemptLogs.LoggedAttempt[],
): AsyncGenerator<string> {
  for (const [index, attempt] of attempts.entries()) {
    yield `== attempt ${nameOf(attempt, attempts[index - 1])}\n`;
    let after = -1;
    let openStream: string | undefined;
    for (;;) {
      const rows = await attemptLogs.listAttemptLogs(control.db, actor.organizationId, attempt.id, after, rowsPerRead);
      for (const row of rows) {
        yield labelLines(row, openStream);
        openStream = row.text.endsWith("\n") ? undefined : row.stream;
      }
      after = rows.at(-1)?.sequenceNumber ?? after;
      if (rows.length < rowsPerRead) break;
    }
    if (openStream !== undefined) yield "\n";
  }
}

/** An attempt that does not count shares its number with the next one, so its heading says why. */
function nameOf({ number }: attemptLogs.LoggedAttempt, before: attemptLogs.LoggedAttempt | undefined): string {
  if (before?.number !== number) return String(number);
  return `${number}, ${before.outcome === "suspended" ? "continued" : "again"}`;
}

/** `openStream`: the stream whose last line has not ended yet. A row of it continues that line. */
function labelLines(row: { stream: string; text: string }, openStream: string | undefined): string {
  const label = `[${row.stream}] `;
  const lines = row.text.replace(/\n(?!$)/g, `\n${label}`);
  if (openStream === row.stream) return lines;
  return `${openStream === undefined ? "" : "\n"}${label}${lines}`;
}

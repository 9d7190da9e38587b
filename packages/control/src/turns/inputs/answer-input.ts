// Answers an input. The message's turn then continues with the answer.

import { validateAnswer } from "@dari/contract";
import { deliverTurns, type Actor, type Control } from "@dari/control/context";
import { requireTokenScope, withAuditEntry } from "@dari/control/tenants";
import { messageInputs, type AnsweredInput } from "@dari/db";
import { AppError, limits } from "@dari/domain";
import { getMessage } from "../messages/get-message.ts";

export interface AnswerInput {
  readonly messageId: string;
  readonly key: string;
  readonly value: unknown;
}

/**
 * Stores the answer. The audit log records who answered; the answer itself is in the session's events.
 * @throws AppError `not_found`; `conflict` if the message does not wait, or no longer waits, for this key; `invalid`
 *   with all problems of the value; `forbidden` for a session token without the scope `answer`, and for all tokens and
 *   connected apps if the input asks for a higher limit: they belong to those whose requests the limit bounds.
 */
export async function answerInput(
  control: Control,
  actor: Actor,
  { messageId, key, value }: AnswerInput,
): Promise<void> {
  const { organizationId } = actor;
  requireTokenScope(actor, "answer");
  await getMessage(control, actor, messageId);
  const asked = await messageInputs.findInput(control.db, organizationId, messageId, key);
  if (asked === undefined) throw refusal("not_asked", key);
  if (asked.isBudget && (actor.sessionToken !== undefined || actor.isApp === true)) {
    throw new AppError("forbidden", raiseRefusal);
  }
  if (asked.state === "waiting") checkAnswer(asked.schema, value);
  const dispatchAtOnce = control.admission.mayDispatch(organizationId);
  const answered = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const dispatchTtlMs = dispatchAtOnce ? limits.dispatchTtlMs : undefined;
      const result = await messageInputs.answerIfWaiting(inside.db, {
        organizationId,
        messageId,
        key,
        value,
        dispatchTtlMs,
      });
      if (result.outcome !== "answered") throw refusal(result.outcome, key);
      notifyAnswered(inside, actor, messageId, result);
      return result;
    },
    () => ({ action: "message.answer", target: messageId, details: { key } }),
  );
  control.log.info({ org: organizationId, session: answered.sessionId, message: messageId, key }, "input.answered");
}

const raiseRefusal =
  "session tokens and connected apps cannot raise a limit; answer in the console, or with an API key";

/** Checks the answer before the row is locked, which is possible because an input's schema never changes. */
function checkAnswer(schema: Readonly<Record<string, unknown>>, value: unknown): void {
  const issues = validateAnswer(schema, value);
  if (issues.length === 0) return;
  const [first] = issues;
  throw new AppError("invalid", `${first?.path}: ${first?.message}`, { issues });
}

/** Notifies and delivers when the transaction commits: before that, no worker can claim the turn. */
function notifyAnswered(inside: Control, { organizationId }: Actor, messageId: string, answered: AnsweredInput): void {
  const { sessionId, schedule, dispatchNumber, attemptsLeft } = answered;
  inside.notifier.notify("session", sessionId);
  inside.notifier.notify("message", messageId);
  if (schedule === "ready") inside.notifier.notify("ready", organizationId);
  if (schedule !== "dispatched") return;
  void deliverTurns(inside, [{ organizationId, sessionId, messageId, dispatchNumber, attemptsLeft }]);
}

function refusal(outcome: Exclude<AnsweredInput["outcome"], "answered">, key: string): AppError {
  switch (outcome) {
    case "not_found":
      return new AppError("not_found", "message not found");
    case "not_asked":
      return new AppError("conflict", `the message has no input ${key}; its record lists its inputs`);
    case "answered_before":
      return new AppError("conflict", `input ${key} is already answered`);
    case "over":
      return new AppError("conflict", `input ${key} is closed, because its message has ended`);
  }
}

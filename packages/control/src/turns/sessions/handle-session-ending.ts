// The common part of completing and deleting a session: throws refusals, and notifies callers that wait for the
// session's messages.

import type { Control } from "@dari/control/context";
import type { SessionEnding } from "@dari/db";
import { AppError, notFound } from "@dari/domain";

/** Handles the outcome. @throws AppError `not_found`, `conflict` */
export function handleSessionEnding(
  control: Pick<Control, "notifier">,
  sessionId: string,
  ending: SessionEnding,
): void {
  for (const { messageId, running } of ending.cancelled) {
    control.notifier.notify(running ? "cancel" : "message", messageId);
  }
  switch (ending.outcome) {
    case "done":
      control.notifier.notify("session", sessionId);
      return;
    case "missing":
      throw notFound("session");
    case "open_messages":
      throw new AppError(
        "conflict",
        "the session has messages that are queued or running; use `?cancel=1` to cancel them",
      );
    case "other_messages":
      throw new AppError("conflict", "the session has other messages; delete the session, or leave the message");
    case "ended":
      throw new AppError("conflict", "the session has already ended");
  }
}

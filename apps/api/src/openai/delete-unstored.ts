// Deletes what a request with `store: false` has created.

import { deleteFile } from "@dari/control/storage";
import { deleteSession } from "@dari/control/turns";
import { AppError } from "@dari/domain";
import type { Call } from "../http/call.ts";
import { filesOf } from "./store-input.ts";

/**
 * Deletes the session, and the files that the request had in itself. Logs a failure: the answer is sent anyway, and a
 * reconciler deletes the rest. It finds the files by the session, so the session is last.
 */
export async function deleteUnstored(
  { control, actor, response }: Pick<Call, "control" | "actor" | "response">,
  sessionId: string,
): Promise<void> {
  const deletions = [
    ...filesOf(response).map((fileId) => () => deleteFile(control, actor, fileId)),
    () => deleteSession(control, actor, { sessionId, cancel: true }),
  ];
  for (const deleteOne of deletions) {
    try {
      await deleteOne();
    } catch (error) {
      // Another call has deleted it.
      if (error instanceof AppError && error.code === "not_found") continue;
      control.log.error({ err: error, org: actor.organizationId, session: sessionId }, "session.delete_failed");
      return;
    }
  }
}

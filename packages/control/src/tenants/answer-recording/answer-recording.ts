// Whether an organization allows that answers of models are recorded.

import type { AnswerRecordingSetting } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { answerRecording } from "@dari/db";
import { notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

export async function getAnswerRecording(control: Control, organizationId: string): Promise<AnswerRecordingSetting> {
  return { mode: await answerRecording.getAnswerRecording(control.db, organizationId) };
}

/**
 * Applies from the next attempt of each message on. Answers that are recorded already stay until their message ends, or
 * until their recording expires, and are not used.
 * @throws AppError `not_found`
 */
export async function putAnswerRecording(
  control: Control,
  actor: Actor,
  organizationId: string,
  { mode }: AnswerRecordingSetting,
): Promise<AnswerRecordingSetting> {
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const isThere = await answerRecording.putAnswerRecordingIfThere(inside.db, organizationId, mode);
      if (!isThere) throw notFound("organization");
    },
    () => ({ action: "answer_recording.put", target: organizationId, organizationId, details: { mode } }),
  );
  return { mode };
}

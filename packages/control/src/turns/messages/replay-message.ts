// Runs a completed turn again with its recorded answers, with an audit entry.

import type { MessageRecord, RecordingRecord, ReplayMessageRequest } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents, answerRecording, recordings, type Page, type RecordingRow } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { forkSession } from "../sessions/fork-session.ts";
import { getMessage } from "./get-message.ts";
import { sendMessage } from "./send-message.ts";

/**
 * Forks the session from before the message and sends the message there, in one transaction, so that there is no fork
 * without its message. The fork's metadata has `replay_of`.
 * @throws AppError `not_found`; `conflict` if the message is not completed or no answers of it are kept, and like
 *   `forkSession`; `invalid` if one of its files is deleted; `limit_exceeded`.
 */
export async function replayMessage(
  control: Control,
  actor: Actor,
  messageId: string,
  request: ReplayMessageRequest,
): Promise<{ messageId: string }> {
  const { version_id: versionId, live: asksModels = true, lane = "background" } = request;
  const original = await getMessage(control, actor, messageId);
  await requireRecording(control, actor, original);
  return withAuditEntry(
    control,
    actor,
    async (inside) => {
      const place = { sessionId: original.session_id, messageId, without: true, versionId };
      const fork = await forkSession(inside, actor, place);
      const sent = await sendMessage(inside, actor, {
        sessionId: fork.id,
        parts: original.parts.map((part) => (part.type === "text" ? part : { type: part.type, file_id: part.file_id })),
        metadata: original.metadata,
        lane,
        pathsOf: { messageId, parts: original.parts.map((part) => (part.type === "text" ? {} : part)) },
      });
      const replay = { sessionId: fork.id, messageId: sent.messageId, of: messageId, asksModels };
      await recordings.markReplay(inside.db, replay);
      return { ...sent, sessionId: fork.id };
    },
    (sent) => ({
      action: "message.replay",
      target: messageId,
      details: {
        replay_message_id: sent.messageId,
        fork_session_id: sent.sessionId,
        ...(versionId === undefined ? {} : { version_id: versionId }),
      },
    }),
  );
}

async function requireRecording(control: Control, actor: Actor, original: MessageRecord): Promise<void> {
  const { id: messageId, session_id: sessionId, status } = original;
  if (status !== "completed") {
    throw new AppError("conflict", `the message is ${status}; only completed messages can be replayed`);
  }
  if ((await answerRecording.getAnswerRecording(control.db, actor.organizationId)) === "never") {
    const how = "recorded answers are not used; set it to `allowed` to replay";
    throw new AppError("conflict", `the organization's setting answer-recording is \`never\`, so ${how}`);
  }
  const of = { organizationId: actor.organizationId, sessionId, messageId };
  if ((await recordings.findRecording(control.db, of)) !== undefined) return;
  const how = "to keep those of later messages, set `retries.record_answers.keep_days` in dari.yml";
  throw new AppError("conflict", `no answers of models are kept for ${messageId}; ${how}`);
}

/** Lists what can be replayed, newest first. @throws AppError `not_found`; `invalid` for an unknown cursor */
export async function listRecordings(
  control: Control,
  actor: Actor,
  agentId: string,
  page: Page,
): Promise<PageOf<RecordingRecord>> {
  requireFound(await agents.findAgent(control.db, actor.organizationId, agentId), "agent");
  const of = { organizationId: actor.organizationId, agentId };
  return renderPage(await recordings.listRecordings(control.db, of, page), renderRecording);
}

function renderRecording(row: RecordingRow): RecordingRecord {
  return {
    message_id: row.id,
    session_id: row.sessionId,
    version_id: row.versionId,
    answers: row.answers,
    size_bytes: row.sizeBytes,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
  };
}

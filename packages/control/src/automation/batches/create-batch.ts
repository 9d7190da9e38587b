// Creates many sessions with a first message each: all of them, or none.

import type { CreateSessionBatchRequest, SessionBatchCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { planFirstAttachments } from "@dari/control/turns";
import { sessionBatches, turnDetails, type InsertedBatch, type NewBatchItem } from "@dari/db";
import { agentIdFromWire, AppError, invalidField, limits, newId, notFound } from "@dari/domain";
import { getBatch } from "./get-batch.ts";
import { getBatchInItemOrder, hasItems, toSessionsBatch, type SessionsBatchRequest } from "./items-batch.ts";

/**
 * Runs in one transaction, so a crash leaves nothing. The dispatcher starts the messages by fair shares.
 * @throws AppError `not_found` for the agent; `conflict` for an unknown version; `invalid` for an unknown file;
 *   `limit_exceeded` if the messages do not all fit into the backlog.
 */
export async function createBatch(
  control: Control,
  actor: Actor,
  sent: CreateSessionBatchRequest,
): Promise<SessionBatchCreated> {
  const { organizationId } = actor;
  const request = hasItems(sent) ? toSessionsBatch(sent) : sent;
  checkSecrets(request.sessions, hasItems(sent) ? "items" : "sessions");
  const id = newId("sessionBatch");
  await control.backlog.admit(control.db, organizationId, request.sessions.length);
  const inserted = await sessionBatches.insertBatch(control.db, {
    id,
    organizationId,
    agentId: agentIdFromWire(request.agent_id),
    versionId: request.version_id,
    name: request.name?.trim() ?? null,
    metadata: request.metadata ?? {},
    onBusy: request.on_busy ?? "enqueue",
    isBackground: request.lane !== "interactive",
    maxConcurrency: request.max_concurrency ?? null,
    items: await itemsOf(control, organizationId, request.sessions),
  });
  if (inserted.outcome !== "created") throw refusal(inserted, request, hasItems(sent));
  control.notifier.notify("ready", organizationId);
  control.log.info({ org: organizationId, batch: id, sessions: request.sessions.length }, "batch.created");
  const place = { organizationId, batchId: id };
  return hasItems(sent) ? getBatchInItemOrder(control, place, sent) : getBatch(control, place);
}

function checkSecrets(sessions: SessionsBatchRequest["sessions"], field: string): void {
  const count = sessions.reduce((sum, { secrets = {} }) => sum + Object.keys(secrets).length, 0);
  const most = limits.batchSecretsMax;
  if (count <= most) return;
  const [has, allowed] = [count, most].map((number) => number.toLocaleString("en"));
  throw invalidField(
    field,
    `the batch has ${has} secrets in all sessions together; the limit is ${allowed}: send several batches`,
  );
}

async function itemsOf(
  control: Control,
  organizationId: string,
  sessions: SessionsBatchRequest["sessions"],
): Promise<NewBatchItem[]> {
  const fileIds = sessions.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "text" ? [] : [part.file_id])),
  );
  const filenames = await turnDetails.listFilenames(control.db, organizationId, [...new Set(fileIds)]);
  return sessions.map(({ parts, name, metadata = {}, secrets = {} }) => ({
    sessionId: newId("session"),
    messageId: newId("message"),
    name: name?.trim() ?? null,
    metadata,
    secrets: Object.entries(secrets).map(([secret, value]) => ({
      name: secret,
      sealed: control.sealer.seal(value, { organizationId, name: secret }),
    })),
    ...planFirstAttachments(parts, filenames),
  }));
}

/** After this time, waiting messages may have ended. In seconds. */
const retryAfterSeconds = 5;

function refusal(
  inserted: Exclude<InsertedBatch, { readonly outcome: "created" }>,
  { version_id: versionId, sessions }: SessionsBatchRequest,
  isOfItems: boolean,
): AppError {
  switch (inserted.outcome) {
    case "agent_gone":
      return notFound("agent");
    case "version_not_ready":
      return new AppError("conflict", `${versionId ?? "the version"} is not a ready version of this agent`);
    case "no_version":
      return new AppError("conflict", "the agent has no version that is ready or being built; deploy one first");
    case "version_failed":
      return new AppError("conflict", "the sessions' version failed to build; deploy a new one");
    case "backlog_full":
      return new AppError(
        "limit_exceeded",
        `backlog limit reached: ${inserted.open} of ${inserted.max} open messages, and this batch adds ` +
          `${sessions.length}; retry when some have ended, or send fewer`,
        { retryAfterSeconds },
      );
    case "unknown_file": {
      const { number, fileId } = inserted;
      const parts = sessions[number]?.parts ?? [];
      const index = parts.findIndex((part) => part.type !== "text" && part.file_id === fileId);
      const path = isOfItems ? `items[${number}].message.content` : `sessions[${number}].parts`;
      return invalidField(`${path}[${index}].file_id`, "file not found");
    }
  }
}

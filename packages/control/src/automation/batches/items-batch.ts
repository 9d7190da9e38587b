// Batches in the form of the hosted service's later clients: each item names the agent.

import type { CreateSessionBatchRequest, SessionBatchCreated } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { sessions, type BatchKey } from "@dari/db";
import { agentIdFromWire, invalidField, limits } from "@dari/domain";
import { getBatch, listBatchSessions } from "./get-batch.ts";

export type SessionsBatchRequest = Extract<CreateSessionBatchRequest, { readonly sessions: unknown }>;
export type ItemsBatchRequest = Extract<CreateSessionBatchRequest, { readonly items: unknown }>;

export function hasItems(request: CreateSessionBatchRequest): request is ItemsBatchRequest {
  return "items" in request;
}

/** Returns the batch in the platform's own form. @throws AppError `invalid` for items that do not form one batch. */
export function toSessionsBatch({ items, idempotency_key: _key, ...rest }: ItemsBatchRequest): SessionsBatchRequest {
  const [first] = items;
  for (const [index, item] of items.entries()) {
    const refuse = (field: string, message: string) => invalidField(`items[${index}].${field}`, message);
    if (agentIdFromWire(item.agent_id) !== agentIdFromWire(first!.agent_id)) {
      throw refuse("agent_id", "expected the same agent as in items[0]: create a batch for each agent");
    }
    if (item.version_id !== first!.version_id) {
      throw refuse("version_id", "expected the same version as in items[0]: create a batch for each version");
    }
    if (item.llm_id !== undefined) {
      const way = "pass the model in the item's metadata, which the agent can read, or deploy one agent per model";
      throw refuse("llm_id", `not supported: the agent's code chooses its model; ${way}`);
    }
  }
  const { agent_id, version_id } = first!;
  return {
    ...rest,
    agent_id,
    ...(version_id === undefined ? {} : { version_id }),
    sessions: items.map(({ message, metadata, secrets }) => ({
      parts: message.content,
      ...(metadata === undefined ? {} : { metadata }),
      ...(secrets === undefined ? {} : { secrets }),
    })),
  };
}

/** Returns the batch as it is now, with its sessions in the order of the call's items. @throws AppError `not_found` */
export async function getBatchInItemOrder(
  control: Control,
  place: BatchKey,
  { items }: ItemsBatchRequest,
): Promise<SessionBatchCreated> {
  const batch = await getBatch(control, place);
  const { rows } = await listBatchSessions(control, place, { limit: limits.batchSessionsMax });
  const [first] = rows;
  const session = first && (await sessions.findSession(control.db, place.organizationId, first.session_id));
  return {
    ...batch,
    batch_id: batch.id,
    sessions: rows.map(({ index, session_id, message_id, message_status, error }) => ({
      index,
      session_id,
      message_id,
      status: message_status,
      last_message_status: message_status,
      agent_id: batch.agent_id,
      version_id: session?.versionId ?? null,
      llm_id: null,
      metadata: items[index]?.metadata ?? {},
      transcript_url: `/v1/sessions/${session_id}/transcript`,
      error: error?.message ?? null,
    })),
  };
}

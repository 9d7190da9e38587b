// Lists the requests to models that a message's attempts made.

import type { ModelRequestRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { modelRequests, type ListedModelRequest, type Page } from "@dari/db";
import type { UnpricedReason } from "@dari/domain";
import { getMessage } from "./get-message.ts";

/** Returns a page, attempt by attempt, in the order of the requests. @throws AppError `not_found` */
export async function listModelRequests(
  control: Control,
  actor: Actor,
  messageId: string,
  page: Page,
): Promise<PageOf<ModelRequestRecord>> {
  await getMessage(control, actor, messageId);
  const of = { organizationId: actor.organizationId, messageId };
  return renderPage(await modelRequests.listModelRequests(control.db, of, page), renderModelRequest);
}

function renderModelRequest(row: ListedModelRequest): ModelRequestRecord {
  return {
    attempt_id: row.attemptId,
    ordinal: row.ordinal,
    requests: row.requests,
    host: row.host,
    format: row.format,
    model: row.model,
    status: row.status,
    input_tokens: row.input,
    cached_input_tokens: row.cachedInput,
    cache_write_tokens: row.cacheWrite,
    output_tokens: row.output,
    reasoning_tokens: row.reasoning,
    reserved_tokens: row.reservedTokens,
    reserved_cost_microusd: row.reservedCost,
    finish_reason: row.finishReason,
    duration_ms: row.durationMs,
    is_complete: row.isComplete,
    unread: row.unread,
    cost_microusd: row.cost,
    unpriced: row.cost === null ? whyUnpriced(row) : null,
    is_recorded: row.isRecorded,
    created_at: row.createdAt.toISOString(),
  };
}

/** The requests of a row of sums can have different models. */
function whyUnpriced({ host, input, output }: ListedModelRequest): UnpricedReason {
  if (host === null) return "sum";
  return input === null && output === null ? "no_tokens" : "no_price";
}

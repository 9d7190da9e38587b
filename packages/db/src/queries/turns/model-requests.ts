// Requests of agents to models.

import type { ModelAnswer, ModelFormat } from "@dari/domain";
import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";
import type { Claim } from "./claim-turn.ts";

export interface ModelRequestRow extends ModelAnswer {
  /** The position among the attempt's requests, from 1. */
  readonly ordinal: number;
  /** 1, or how many requests the last row of an attempt counts. */
  readonly requests: number;
  /** Null in a row that counts several requests, as is `format`. */
  readonly host: string | null;
  readonly format: ModelFormat | null;
  readonly status: number | null;
  readonly durationMs: number;
  /** Whether the agent got a recorded answer. No tokens are counted then. */
  readonly isRecorded: boolean;
}

/**
 * Records requests of the running attempt in one statement. Returns false once superseded. Safe to repeat: a repeated
 * ordinal replaces its row.
 */
export async function recordModelRequestsIfHeld(
  db: Database,
  claim: Claim,
  requests: readonly ModelRequestRow[],
): Promise<boolean> {
  const row = await callOne<{ held: boolean }>(
    db.kysely,
    sql`select record_model_requests(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_requests => ${toJsonb(requests)}) as held`,
  );
  return row.held;
}

/** A request that has not gone out. */
export interface RequestToReserve {
  readonly ordinal: number;
  readonly host: string;
  readonly format: ModelFormat;
  /** The most that it can use. Null: not known, so that it reserves all that is left. */
  readonly tokens: number | null;
  /** Those of `tokens` that its input can use. */
  readonly input: number | null;
  /** The model that it asks for. Null: not known, so that it reserves all that is left of the cost. */
  readonly model: string | null;
}

export interface ReservationResult {
  /** Other than `reserved`: the limit that is reached. `price`: the cost is limited, and the model has no price. */
  readonly outcome: "reserved" | "requests" | "tokens" | "cost" | "price";
  /** What the message holds without this request, in all of its attempts. */
  readonly requests: number;
  readonly tokens: number;
  /** Those of `tokens` that only a reservation counts. */
  readonly unknown: number;
  /** Micro-dollars that the message holds without this request. */
  readonly cost: number;
  /** Those of `cost` that only a reservation counts. */
  readonly unknownCost: number;
  /** The message's limit in micro-dollars. Null: none. */
  readonly maxCost: number | null;
  /** The most micro-dollars that the request can cost. Null: not known. */
  readonly askedCost: number | null;
}

/** Reserves a request of the running attempt. Returns undefined once superseded. Safe to repeat. */
export async function reserveModelRequestIfHeld(
  db: Database,
  claim: Claim,
  request: RequestToReserve,
  limits: { readonly requests: number; readonly tokens: number | undefined },
): Promise<ReservationResult | undefined> {
  const result = await sql<ReservationResult>`
    select outcome, requests, tokens, unknown, cost, unknown_cost as "unknownCost", max_cost as "maxCost",
      asked_cost as "askedCost" from reserve_model_request(p_session => ${claim.sessionId},
      p_fence => ${claim.fence}, p_token => ${claim.token}, p_ordinal => ${request.ordinal}, p_host => ${request.host},
      p_format => ${request.format}, p_tokens => ${request.tokens}, p_max_requests => ${limits.requests},
      p_max_tokens => ${limits.tokens ?? null}, p_input => ${request.input},
      p_model => ${request.model})`.execute(db.kysely);
  return result.rows[0];
}

export interface ListedModelRequest extends ModelRequestRow {
  /** The cursor of the row. */
  readonly id: string;
  readonly attemptId: string;
  /** What it reserved before it was sent. Null: its message has no limit of tokens. */
  readonly reservedTokens: number | null;
  /** Micro-dollars that it reserved before it was sent. Null: its message has no limit of cost. */
  readonly reservedCost: number | null;
  readonly createdAt: Date;
  /** Micro-dollars, by the price list in force when the row was stored. Null: not known. */
  readonly cost: number | null;
}

/**
 * Lists the requests of a message, attempt by attempt, in their order (primary key message_id, fence, ordinal). Returns
 * undefined for a cursor that is not one of a row.
 */
export async function listModelRequests(
  db: Database,
  of: { readonly organizationId: string; readonly messageId: string },
  page: Page,
): Promise<ListPage<ListedModelRequest> | undefined> {
  const [, fence, ordinal] = /^(\d{1,15})\.(\d{1,9})$/.exec(page.after ?? "0.0") ?? [];
  if (fence === undefined) return undefined;
  const result = await sql<ListedModelRequest>`
    select fence || '.' || ordinal as id, attempt_id as "attemptId", ordinal, requests, host, format, model, status,
      input_tokens as input, cached_input_tokens as "cachedInput", cache_write_tokens as "cacheWrite",
      output_tokens as output, reasoning_tokens as reasoning, reserved_tokens as "reservedTokens",
      reserved_cost_microusd as "reservedCost",
      finish_reason as "finishReason", duration_ms as "durationMs", is_complete as "isComplete", unread,
      is_recorded as "isRecorded", created_at as "createdAt", cost_microusd as cost
    from model_requests
    where message_id = ${of.messageId} and organization_id = ${of.organizationId}
      and (fence, ordinal) > (${fence}::bigint, ${ordinal}::int)
    order by fence, ordinal limit ${page.limit + 1}`.execute(db.kysely);
  return toPage(result.rows, page);
}

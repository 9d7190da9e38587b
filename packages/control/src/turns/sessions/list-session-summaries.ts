// Lists sessions for people: by their newest message, with first and last words, sums, and who started them.

import type { SessionStarter, SessionStatus, SessionSummary } from "@dari/contract";
import type { Actor, Control, PageOf } from "@dari/control/context";
import { sessionSummaries, type SessionSummaryRow } from "@dari/db";
import { isId } from "@dari/domain";
import { statusOf } from "../views/session.ts";

export interface SummaryQuery {
  readonly agentId?: string | undefined;
  readonly status?: SessionStatus | undefined;
  readonly startedBy?: SessionStarter | undefined;
  readonly text?: string | undefined;
  readonly metadata: readonly (readonly [key: string, value: string])[];
  readonly limit: number;
  readonly after?: string | undefined;
}

export async function listSessionSummaries(
  control: Control,
  actor: Actor,
  { limit, after, status, ...query }: SummaryQuery,
): Promise<PageOf<SessionSummary>> {
  const { organizationId } = actor;
  const filter = { ...query, status: status === "active" ? ("busy" as const) : status };
  const found = await sessionSummaries.findSessionsByActivity(control.db, organizationId, filter, { limit, after });
  const rows = await sessionSummaries.listSessionSummaries(control.db, organizationId, found.sessionIds);
  const byId = new Map(rows.map((row) => [row.id, row]));
  // A session that was deleted in between is left out.
  const shown = found.sessionIds.flatMap((id) => byId.get(id) ?? []);
  return { rows: shown.map((row) => render(row, actor)), next: found.next };
}

function render(row: SessionSummaryRow, actor: Actor): SessionSummary {
  const times = [row.createdAt, row.lastMessageAt, row.lastMessageEndedAt].map((time) => time?.getTime() ?? 0);
  return {
    id: row.id,
    agent_id: row.agentId,
    agent_name: row.agentName,
    name: row.name,
    title: row.name ?? row.firstText,
    last_words: row.lastAnswer ?? row.lastError ?? row.lastText,
    status: statusOf(row),
    last_message_id: row.lastMessageId,
    last_message_status: row.lastMessageState,
    created_by: creatorOf(row, actor),
    messages: row.messages,
    failed: row.failed,
    tokens: row.tokens,
    turn_seconds: Math.round(row.turnSeconds * 1_000) / 1_000,
    created_at: row.createdAt.toISOString(),
    last_activity_at: new Date(Math.max(...times)).toISOString(),
  };
}

const creatorTypes = {
  member: "member",
  api_key: "apiKey",
  schedule: "schedule",
  batch: "sessionBatch",
  trigger: "trigger",
} as const;

function creatorOf(
  { createdBy: id, creatorName: name }: SessionSummaryRow,
  actor: Actor,
): SessionSummary["created_by"] {
  if (id === null) return null;
  const types = Object.keys(creatorTypes) as (keyof typeof creatorTypes)[];
  const type = types.find((one) => isId(creatorTypes[one], id));
  if (type === undefined) return null;
  // Every key with the scope `read` can list schedules, batches and triggers, but not members and keys.
  const isPublic = type !== "member" && type !== "api_key";
  return { type, id, name: isPublic || canReadPeople(actor) ? name : null };
}

/** Whether the caller learns the addresses of members and the labels of keys: members do, and keys of admins. */
function canReadPeople({ person, scopes }: Actor): boolean {
  return person !== undefined || scopes.includes("admin");
}

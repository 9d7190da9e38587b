// Sessions for their owner: created, found, ended. The turn functions move them in the schedule.

import { sessionMachine, type OnBusy, type SessionState } from "@dari/domain";
import { sql, type InferResult, type Transaction } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";

export interface NewSession {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  /** Pins this version, which must be ready. Default: the active one, or the newest that will activate itself. */
  readonly versionId: string | undefined;
  readonly name: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What its messages do while another one is open, unless they say otherwise (default: `enqueue`). */
  readonly onBusy?: OnBusy | undefined;
  readonly internetAccess?: boolean | undefined;
  /** The member, API key, schedule or trigger that starts it. */
  readonly createdBy?: string | null | undefined;
  readonly secrets: readonly { readonly name: string; readonly sealed: Buffer }[];
}

/** Inserts a session pinned to a version, with its secrets and its first event, in one transaction. */
export async function insertSessionIfAgentLive(
  db: Database,
  session: NewSession,
): Promise<"created" | "agent_gone" | "version_not_ready" | "no_version"> {
  return withTransaction(db, async (tx) => {
    const pin = await findPinnedVersion(tx, session);
    if (pin === undefined) return "agent_gone";
    if (pin.versionId === null) return session.versionId === undefined ? "no_version" : "version_not_ready";
    await tx
      .insertInto("sessions")
      .values({
        id: session.id,
        organization_id: organizationWithinQuota(session.organizationId, "sessions", 1),
        agent_id: session.agentId,
        version_id: pin.versionId,
        name: session.name,
        metadata: JSON.stringify(session.metadata),
        on_busy: session.onBusy ?? "enqueue",
        internet_access: session.internetAccess ?? null,
        next_event_number: 2,
        created_by: session.createdBy ?? null,
      })
      .execute();
    await insertSecrets(tx, session);
    await tx
      .insertInto("events")
      .values({
        session_id: session.id,
        sequence_number: 1,
        organization_id: session.organizationId,
        type: "session.created",
        data: JSON.stringify({
          agent_id: session.agentId,
          version_id: pin.versionId,
          name: session.name,
          metadata: session.metadata,
        }),
      })
      .execute();
    return "created";
  });
}

/** Finds the version for a session of a live agent, by unique index versions (agent_id, number). */
export async function findPinnedVersion(
  tx: Transaction<DB>,
  session: Pick<NewSession, "organizationId" | "agentId" | "versionId">,
): Promise<{ versionId: string | null } | undefined> {
  const chosen =
    session.versionId === undefined
      ? sql<string | null>`coalesce(a.active_version_id, (select v.id from versions v
          where v.agent_id = a.id and v.state = 'building' and v.activates_itself order by v.number desc limit 1))`
      : sql<string | null>`(select v.id from versions v
          where v.id = ${session.versionId} and v.agent_id = a.id and v.state = 'ready')`;
  return tx
    .selectFrom("agents as a")
    .where("a.id", "=", session.agentId)
    .where("a.organization_id", "=", session.organizationId)
    .where("a.deleted_at", "is", null)
    .select(chosen.as("versionId"))
    .executeTakeFirst();
}

async function insertSecrets(tx: Transaction<DB>, session: NewSession): Promise<void> {
  if (session.secrets.length === 0) return;
  await tx
    .insertInto("session_secrets")
    .values(
      session.secrets.map((secret) => ({
        session_id: session.id,
        organization_id: session.organizationId,
        name: secret.name,
        sealed: secret.sealed,
      })),
    )
    .execute();
}

function selectSessions(db: Database, organizationId: string) {
  return db.kysely
    .selectFrom("sessions as s")
    .leftJoin("messages as m", "m.id", "s.last_message_id")
    .where("s.organization_id", "=", organizationId)
    .where("s.deleted_at", "is", null)
    .select([
      "s.id",
      "s.agent_id as agentId",
      "s.version_id as versionId",
      "s.name",
      "s.metadata",
      sql<OnBusy>`s.on_busy`.as("onBusy"),
      // Whether its agent has network access; null: not set.
      "s.internet_access as internetAccess",
      "s.state",
      // Number of queued and running messages.
      "s.pending",
      "s.last_message_id as lastMessageId",
      "m.state as lastMessageState",
      "s.created_at as createdAt",
      "s.ended_at as endedAt",
      "s.forked_from_session_id as forkedFromSessionId",
      // The message after which it was forked; null: before the first.
      "s.forked_from_message_id as forkedFromMessageId",
    ]);
}

export type SessionRow = Readonly<InferResult<ReturnType<typeof selectSessions>>[number]>;

/** Finds a session by primary key. Does not find deleted sessions. */
export async function findSession(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<SessionRow | undefined> {
  return selectSessions(db, organizationId).where("s.id", "=", sessionId).executeTakeFirst();
}

export interface SessionFilter {
  readonly agentId?: string | undefined;
  readonly name?: string | undefined;
  /** `busy`: with a queued or running message; `idle`: open without. */
  readonly status?: "idle" | "busy" | Exclude<SessionState, "open"> | undefined;
  /** All of these pairs must match, with the values as text. */
  readonly metadata: readonly (readonly [key: string, value: string])[];
}

/**
 * Lists sessions, newest first (partial index sessions_by_organization; with a name, sessions_by_name; with an agent,
 * sessions_by_agent). A large page ends early if its rows would exceed `limits.pageBytes`.
 */
export function listSessions(
  db: Database,
  organizationId: string,
  filter: SessionFilter,
  page: Page,
): Promise<ListPage<SessionRow> | undefined> {
  let query = selectSessions(db, organizationId);
  if (filter.agentId !== undefined) query = query.where("s.agent_id", "=", filter.agentId);
  if (filter.name !== undefined) query = query.where("s.name", "=", filter.name);
  if (filter.status === "idle") query = query.where("s.state", "=", "open").where("s.pending", "=", 0);
  else if (filter.status === "busy") query = query.where("s.state", "=", "open").where("s.pending", ">", 0);
  else if (filter.status !== undefined) query = query.where("s.state", "=", filter.status);
  for (const [key, value] of filter.metadata) query = query.where(sql<boolean>`s.metadata ->> ${key} = ${value}`);
  const bytes = sql<number>`octet_length(s.metadata::text)`;
  return listNewestFirst(db, { table: "sessions", organizationId, page, id: "s.id", bytes }, query);
}

export interface SessionEnding {
  readonly outcome: "done" | "missing" | "open_messages" | "ended" | "other_messages";
  /** Messages that were cancelled; `running` ones are asked to stop. */
  readonly cancelled: readonly { readonly messageId: string; readonly running: boolean }[];
}

interface EndingInput {
  readonly organizationId: string;
  readonly sessionId: string;
  /** Whether to cancel queued and running messages instead of refusing. */
  readonly cancel: boolean;
  /** Refuses if the session has another message, except copies of messages of the session that it was forked from. */
  readonly onlyMessageId?: string;
}

/** Completes an open session. `ended`: it is already completed, expired or failed. */
export async function completeSessionIfOpen(db: Database, input: EndingInput): Promise<SessionEnding> {
  const { from, to } = sessionMachine.edges.complete;
  return endSession(db, input, async (tx, session) => {
    if (!from.includes(session.state)) return "ended";
    await sql`with ended as (
        update sessions set state = ${to}, ended_at = clock_timestamp(), next_event_number = next_event_number + 1
        where id = ${input.sessionId} returning id, organization_id, next_event_number - 1 as n)
      insert into events (session_id, sequence_number, organization_id, type, data)
      select id, n, organization_id, 'session.status_changed', ${JSON.stringify({ status: to })}::jsonb
      from ended`.execute(tx);
    return "done";
  });
}

/** Hides a session in any state. */
export async function softDeleteSessionIfIdle(db: Database, input: EndingInput): Promise<SessionEnding> {
  return endSession(db, input, async (tx) => {
    await sql`update sessions set deleted_at = clock_timestamp() where id = ${input.sessionId}`.execute(tx);
    return "done";
  });
}

/** Locks the session's row for the whole change, so that no message is accepted between the check and the end. */
async function endSession(
  db: Database,
  input: EndingInput,
  end: (tx: Transaction<DB>, session: { state: SessionState }) => Promise<SessionEnding["outcome"]>,
): Promise<SessionEnding> {
  return withTransaction(db, async (tx) => {
    const session = await tx
      .selectFrom("sessions")
      .where("id", "=", input.sessionId)
      .where("organization_id", "=", input.organizationId)
      .where("deleted_at", "is", null)
      .select(["state", "pending"])
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (session === undefined) return { outcome: "missing", cancelled: [] };
    if (await hasOtherMessages(tx, input)) return { outcome: "other_messages", cancelled: [] };
    if (session.pending > 0 && !input.cancel) return { outcome: "open_messages", cancelled: [] };
    const cancelled = session.pending > 0 ? await cancelOpenMessages(tx, input.sessionId) : [];
    return { outcome: await end(tx, session), cancelled };
  });
}

async function hasOtherMessages(tx: Transaction<DB>, { sessionId, onlyMessageId }: EndingInput): Promise<boolean> {
  if (onlyMessageId === undefined) return false;
  const other = await tx
    .selectFrom("messages")
    .where("session_id", "=", sessionId)
    .where("id", "<>", onlyMessageId)
    .where("copied_from", "is", null)
    .select("id")
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** Waiting messages end at once, however many they are. The running one is asked to stop. */
async function cancelOpenMessages(tx: Transaction<DB>, sessionId: string): Promise<SessionEnding["cancelled"]> {
  const result = await sql<{ ended: string[]; stopping: string | null }>`
    select ended, stopping from take_back(p_session => ${sessionId}, p_message => null,
      p_on_busy => 'cancel')`.execute(tx);
  const { ended, stopping } = result.rows[0] ?? { ended: [], stopping: null };
  const waiting = ended.map((messageId) => ({ messageId, running: false }));
  return stopping === null ? waiting : [...waiting, { messageId: stopping, running: true }];
}

/**
 * Locks the row of the open session whose newest message is this one, and returns its id. Then no message is accepted
 * there before the caller's transaction ends. Returns undefined if there is none, if that message was rolled back, or
 * if the session is unstored.
 */
export async function lockSessionEndingWith(
  db: Database,
  of: { readonly organizationId: string; readonly messageId: string },
): Promise<string | undefined> {
  const row = await db.kysely
    .selectFrom("messages as m")
    .innerJoin("sessions as s", (join) =>
      join.onRef("s.id", "=", "m.session_id").onRef("s.last_message_id", "=", "m.id"),
    )
    .where("m.id", "=", of.messageId)
    .where("s.organization_id", "=", of.organizationId)
    .where("s.deleted_at", "is", null)
    .where("s.state", "=", "open")
    // What continues in it would be deleted with it.
    .where("s.is_unstored", "=", false)
    .where("m.rolled_back_at", "is", null)
    .where("m.rolled_back_by", "is", null)
    .select("s.id")
    .forNoKeyUpdate("s")
    .executeTakeFirst();
  return row?.id;
}

/** Replaces a session's metadata. Returns false if the organization has no such session. */
export async function replaceMetadata(
  db: Database,
  of: { readonly organizationId: string; readonly sessionId: string; readonly metadata: object },
): Promise<boolean> {
  const result = await db.kysely
    .updateTable("sessions")
    .set({ metadata: JSON.stringify(of.metadata) })
    .where("id", "=", of.sessionId)
    .where("organization_id", "=", of.organizationId)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Returns the number of the session's newest event; undefined if the organization has no such session. */
export async function findLastEventNumber(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<number | undefined> {
  const row = await db.kysely
    .selectFrom("sessions")
    .where("id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select("next_event_number as next")
    .executeTakeFirst();
  return row === undefined ? undefined : row.next - 1;
}

// What the organization's turns did by day, what runs now, and what waits for a person.

import type { OverviewRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { overview, usage } from "@dari/db";
import { limits } from "@dari/domain";
import { windowOf } from "./get-usage.ts";
import { keepSlowReads } from "./keep-slow-reads.ts";

const readSums = keepSlowReads<overview.OverviewSums>();

/** `days`: the current day and those before it, in UTC. */
export async function getOverview({ db }: Control, { organizationId }: Actor, days: number): Promise<OverviewRecord> {
  const window = windowOf(days, limits.overviewMessagesMax);
  const { since } = window;
  const key = `${organizationId} ${since.toISOString()}`;
  const sums = await readSums(key, () => overview.sumOverview(db, organizationId, window));
  const now = await overview.listOverviewNow(db, organizationId, since);
  const current = await usage.getCurrentUsage(db, organizationId, limits.organizationBacklogMax);
  return {
    since: (sums.isCut ? (sums.firstAt ?? since) : since).toISOString(),
    is_cut: sums.isCut,
    total: renderFigures(sums.total),
    days: sums.days.map(({ date, ...figures }) => ({ date, ...renderFigures(figures) })),
    now: { turns: current.turns, open_messages: current.openMessages },
    ...renderNow(now),
  };
}

function renderNow({ running, inputCount, inputs, failedCount, failed, heldCount, held }: overview.OverviewNow) {
  return {
    running: running.map((turn) => ({
      ...renderPlace(turn),
      message_id: turn.messageId,
      state: turn.state,
      attempt: turn.attempt,
      started_at: turn.startedAt && timeOf(turn.startedAt),
    })),
    inputs: {
      count: inputCount,
      rows: inputs.map((input) => ({
        ...renderPlace(input),
        message_id: input.messageId,
        key: input.key,
        prompt: input.prompt,
        requested_at: timeOf(input.requestedAt),
        expires_at: timeOf(input.expiresAt),
      })),
    },
    failed: {
      count: failedCount,
      rows: failed.map((message) => ({
        ...renderPlace(message),
        message_id: message.messageId,
        code: message.code,
        error: message.error,
        failed_at: timeOf(message.failedAt),
      })),
    },
    held: {
      count: heldCount,
      rows: held.map((session) => ({
        ...renderPlace(session),
        reason: session.reason,
        since: timeOf(session.since),
      })),
    },
  };
}

type Place = overview.OverviewNow["held"][number];

function renderPlace({
  sessionId,
  title,
  agentId,
  agentName,
}: Pick<Place, "sessionId" | "title" | "agentId" | "agentName">) {
  return { session_id: sessionId, title, agent_id: agentId, agent_name: agentName };
}

/** PostgreSQL's JSON has times with microseconds and an offset. */
function timeOf(text: string): string {
  return new Date(text).toISOString();
}

function renderFigures(figures: overview.OverviewFigures): OverviewRecord["total"] {
  return {
    messages: figures.messages,
    failed: figures.failed,
    turns: figures.turns,
    tokens: figures.tokens,
    cost_usd: rounded(figures.costUsd, 1_000_000),
    p50_seconds: rounded(figures.p50),
    p95_seconds: rounded(figures.p95),
    waited_p50_seconds: rounded(figures.waitedP50),
    waited_p95_seconds: rounded(figures.waitedP95),
  };
}

function rounded(value: number | null, parts = 1_000): number | null {
  return value === null ? null : Math.round(value * parts) / parts;
}

// How an agent's messages went recently: outcomes, durations and tokens by day.

import type { AgentUsage } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { agents, usage } from "@dari/db";
import { limits, requireFound } from "@dari/domain";
import { renderUsed, windowOf } from "./get-usage.ts";

/** `days`: the current day and those before it, in UTC. @throws AppError `not_found` */
export async function getAgentUsage(
  control: Control,
  { organizationId }: Actor,
  agentId: string,
  days: number,
): Promise<AgentUsage> {
  requireFound(await agents.findAgent(control.db, organizationId, agentId), "agent");
  const window = windowOf(days);
  const rows = await usage.sumAgentUsage(control.db, { organizationId, agentId }, window);
  // Grouping without rows still returns the total.
  const total = rows.find(({ date }) => date === null)!;
  const isCut = total.looked > limits.usageMessagesMax;
  return {
    agent_id: agentId,
    since: (isCut ? (total.firstAt ?? window.since) : window.since).toISOString(),
    is_cut: isCut,
    ...render(total),
    days: rows.flatMap((row) => (row.date === null ? [] : [{ date: row.date, ...render(row) }])),
  };
}

function render(row: usage.AgentUsageRow) {
  return { ...renderUsed(row), p50_seconds: rounded(row.p50), p95_seconds: rounded(row.p95) };
}

function rounded(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1_000) / 1_000;
}

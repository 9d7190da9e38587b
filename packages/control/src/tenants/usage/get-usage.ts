// What an organization has used recently and stores, with its limits.

import type { UsageRecord } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { organizations, usage } from "@dari/db";
import { requireFound, limits, newId } from "@dari/domain";

const dayMs = 86_400_000;
/** Ids contain the clock of the process that made them. */
const clockMarginMs = 600_000;

/**
 * `days`: the current day and those before it, in UTC.
 * @throws AppError `not_found`
 */
export async function getUsage(control: Control, organizationId: string, days: number): Promise<UsageRecord> {
  const { db } = control;
  const bounds = requireFound(await organizations.findOrganization(db, organizationId), "organization");
  const window = windowOf(days);
  const { since } = window;
  const sums = await usage.sumUsage(db, organizationId, { ...window, agents: limits.usageAgentsMax });
  const kept = await usage.getStoredCounts(db, organizationId, limits.usageKeptMax);
  const now = await usage.getCurrentUsage(db, organizationId, limits.organizationBacklogMax);
  const held = await usage.listHeldSessions(db, organizationId, limits.usageHeldMax);
  return {
    since: (sums.isCut ? (sums.firstAt ?? since) : since).toISOString(),
    is_cut: sums.isCut,
    days: sums.days.map(({ date, ...row }) => ({ date, ...renderUsed(row) })),
    agents: sums.agents.map(({ agentId, name, ...row }) => ({ agent_id: agentId, name, ...renderUsed(row) })),
    now: { open_messages: now.openMessages, turns: now.turns },
    kept: {
      storage_bytes: { kept: kept.storageBytes, max: bounds.max_storage_bytes },
      files: { kept: kept.files, max: bounds.max_files },
      agents: { kept: kept.agents, max: bounds.max_agents },
      sessions: { kept: kept.sessions, max: bounds.max_sessions },
      api_keys: { kept: kept.apiKeys, max: bounds.max_api_keys },
    },
    held_sessions: held.map(({ sessionId, agentId, reason, since: heldSince }) => ({
      session_id: sessionId,
      agent_id: agentId,
      // The query selects only these two.
      reason: reason as "budget" | "paused",
      since: heldSince.toISOString(),
    })),
  };
}

/** Returns the window of the current day and those before it, in UTC. */
export function windowOf(days: number, messages: number = limits.usageMessagesMax) {
  const since = new Date((Math.floor(Date.now() / dayMs) - days + 1) * dayMs);
  const afterId = newId("message", Math.max(0, since.getTime() - clockMarginMs));
  return { since, afterId, messages };
}

type Sums = Awaited<ReturnType<typeof usage.sumUsage>>["days"][number];

export function renderUsed({ messages, failed, turns, turnSeconds, tokens, ...metered }: Omit<Sums, "date">) {
  return {
    messages,
    failed,
    turns,
    turn_seconds: Math.round(turnSeconds * 1_000) / 1_000,
    tokens,
    metered_requests: metered.meteredRequests,
    metered_tokens: metered.meteredTokens,
    metered_cost_microusd: metered.meteredCost,
    unpriced_requests: metered.unpricedRequests,
  };
}

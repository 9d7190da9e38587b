// The agents that the address of a client names, each to be one tool.

import { listDescribedAgents } from "@dari/control/publishing";
import { agentIdFromWire, invalidField, looksLikeAgentId, mcpLimits } from "@dari/domain";
import type { PublishedAgent } from "@dari/mcp";
import type { Call } from "../http/call.ts";
import { readRepeated } from "../http/query.ts";

/**
 * Returns undefined if the address names no agents. Agents that do not exist, or not any more, are left out, so that
 * the tools of the others work. An agent that is named twice is returned once.
 * @throws AppError `invalid` for too many.
 */
export async function findPublishedAgents({
  control,
  actor,
  request,
}: Pick<Call, "control" | "actor" | "request">): Promise<readonly PublishedAgent[] | undefined> {
  const given = readRepeated(request, "agents").flatMap((names) => names.split(","));
  if (given.length === 0) return undefined;
  const named = [...new Set(given.map((name) => name.trim()).filter((name) => name !== ""))];
  if (named.length === 0 || named.length > mcpLimits.agents)
    throw invalidField("agents", `expected 1 to ${mcpLimits.agents} names or ids, separated by commas`);
  const ids = named.filter(looksLikeAgentId).map(agentIdFromWire);
  const names = named.filter((name) => !looksLikeAgentId(name));
  const agents = await listDescribedAgents(control, actor, { ids, names });
  // No name looks like an id.
  const byName = new Map(agents.flatMap((agent) => [agent.id, agent.name].map((key) => [key, agent] as const)));
  const found = named.map((name) => byName.get(looksLikeAgentId(name) ? agentIdFromWire(name) : name));
  return [...new Set(found.filter((agent) => agent !== undefined))];
}

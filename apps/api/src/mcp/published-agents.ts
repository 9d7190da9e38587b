// The agents that the address of a client names, each to be one tool.

import type { Call } from "../http/call.ts";
import { findAgentIdsByName, getAgent, getVersion } from "@dari/control/publishing";
import { agentIdFromWire, AppError, invalidField, isId, looksLikeAgentId, mcpLimits } from "@dari/domain";
import { findSameToolName, type PublishedAgent } from "@dari/mcp";
import { readRepeated } from "../http/query.ts";

/**
 * Returns undefined if the address names no agents. With `isCall`, agents that do not exist any more are left out, so
 * that the tools of the others work.
 * @throws AppError `not_found` for an agent; `invalid` for too many, or two that would have the same tool name.
 */
export async function findPublishedAgents(
  { control, actor, request }: Pick<Call, "control" | "actor" | "request">,
  { isCall }: { readonly isCall: boolean },
): Promise<readonly PublishedAgent[] | undefined> {
  const given = readRepeated(request, "agents").flatMap((names) => names.split(","));
  const named = [...new Set(given.map((name) => name.trim()).filter((name) => name !== ""))];
  if (given.length === 0) return undefined;
  if (named.length === 0 || named.length > mcpLimits.agents)
    throw invalidField("agents", `expected 1 to ${mcpLimits.agents} names or ids, separated by commas`);
  const names = named.filter((name) => !looksLikeAgentId(name));
  const ids = names.length === 0 ? undefined : await findAgentIdsByName(control, actor.organizationId, names);
  const found = await Promise.all(
    named.map(async (name): Promise<PublishedAgent | undefined> => {
      const id = looksLikeAgentId(name) ? agentIdFromWire(name) : ids?.get(name);
      try {
        if (id === undefined || !isId("agent", id)) throw new AppError("not_found", "agent not found");
        const agent = await getAgent(control, actor, id);
        const versionId = isCall ? null : agent.active_version_id;
        const version = versionId === null ? undefined : await getVersion(control, actor, { agentId: id, versionId });
        return { id, name: agent.name, description: descriptionIn(version?.manifest) };
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "not_found") throw error;
        if (isCall) return undefined;
        throw new AppError("not_found", `agents: this organization has no agent ${JSON.stringify(name)}`);
      }
    }),
  );
  const agents = found.filter((agent) => agent !== undefined);
  const same = isCall ? undefined : findSameToolName(agents);
  if (same !== undefined)
    throw invalidField("agents", `${same.join(" and ")} would have the same tool name; leave one out`);
  return agents;
}

function descriptionIn(manifest: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const description = manifest?.["description"];
  return typeof description === "string" ? description : undefined;
}

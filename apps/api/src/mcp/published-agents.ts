// The agents that the address of a client names, each to be one tool.

import { findAgentIdsByName, getAgent, getVersion } from "@dari/control/publishing";
import { agentIdFromWire, AppError, invalidField, isId, looksLikeAgentId, mcpLimits } from "@dari/domain";
import type { PublishedAgent } from "@dari/mcp";
import type { Call } from "../http/call.ts";
import { readRepeated } from "../http/query.ts";

/**
 * Returns undefined if the address names no agents. Agents that do not exist, or not any more, are left out, so that
 * the tools of the others work.
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
  const names = named.filter((name) => !looksLikeAgentId(name));
  const ids = names.length === 0 ? undefined : await findAgentIdsByName(control, actor.organizationId, names);
  const found = await Promise.all(
    named.map(async (name): Promise<PublishedAgent | undefined> => {
      const id = looksLikeAgentId(name) ? agentIdFromWire(name) : ids?.get(name);
      if (id === undefined || !isId("agent", id)) return undefined;
      return readAgent({ control, actor }, id).catch((error: unknown) => {
        if (error instanceof AppError && error.code === "not_found") return undefined;
        throw error;
      });
    }),
  );
  return found.filter((agent) => agent !== undefined);
}

async function readAgent({ control, actor }: Pick<Call, "control" | "actor">, id: string): Promise<PublishedAgent> {
  const { name, active_version_id: versionId } = await getAgent(control, actor, id);
  const version = versionId === null ? undefined : await getVersion(control, actor, { agentId: id, versionId });
  const description = version?.manifest["description"];
  return { id, name, description: typeof description === "string" ? description : undefined };
}

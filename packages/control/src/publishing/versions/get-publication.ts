// Reads the result of a publication as it is now: the agent's first version, or its next one.

import type { AgentCreated, VersionCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { versions } from "@dari/db";
import { requireFound } from "@dari/domain";
import { agentAddresses } from "../views/agent.ts";
import { getAgent } from "../agents/get-agent.ts";

/** @throws AppError `not_found`, also for a deleted agent. */
export async function getAgentPublication(control: Control, actor: Actor, versionId: string): Promise<AgentCreated> {
  const { agentId, ...publication } = await readPublication(control, actor, versionId);
  return { ...(await getAgent(control, actor, agentId)), ...publication };
}

/** @throws AppError as `getAgentPublication`. */
export async function getVersionPublication(
  control: Control,
  actor: Actor,
  versionId: string,
): Promise<VersionCreated> {
  const { agentId, ...publication } = await readPublication(control, actor, versionId);
  await getAgent(control, actor, agentId);
  return { ...agentAddresses(control.publicUrl, agentId), ...publication };
}

async function readPublication(control: Control, actor: Actor, versionId: string) {
  const version = requireFound(await versions.findVersion(control.db, actor.organizationId, versionId), "version");
  return {
    agentId: version.agentId,
    version_id: version.id,
    version_status: version.state,
    warnings: [...version.warnings],
  };
}

// Reads a version of an agent.

import type { VersionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { agents, versions } from "@dari/db";
import { requireFound, notFound } from "@dari/domain";
import { renderVersion } from "../views/agent.ts";

/** @throws AppError `not_found`, also for another agent's version. */
export async function getVersion(
  control: Control,
  actor: Actor,
  input: { agentId: string; versionId: string },
): Promise<VersionRecord> {
  requireFound(await agents.findAgent(control.db, actor.organizationId, input.agentId), "agent");
  const row = requireFound(await versions.findVersion(control.db, actor.organizationId, input.versionId), "version");
  if (row.agentId !== input.agentId) throw notFound("version");
  return renderVersion(row);
}

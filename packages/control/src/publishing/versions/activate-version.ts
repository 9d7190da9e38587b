// Activates a ready version, so that new sessions use it. Also returns to an older version.

import type { AgentRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents, versions } from "@dari/db";
import { AppError, requireFound, notFound } from "@dari/domain";
import { renderAgent } from "../views/agent.ts";

/**
 * From now on, only versions that are published later activate themselves.
 * @throws AppError `not_found` for the agent or the version; `conflict` if the version is not ready.
 */
export async function activateVersion(
  control: Control,
  actor: Actor,
  input: { agentId: string; versionId: string },
): Promise<AgentRecord> {
  const { organizationId } = actor;
  const { agentId, versionId } = input;
  const agent = await withAuditEntry(
    control,
    actor,
    (inside) => agents.activateVersionIfReady(inside.db, organizationId, agentId, versionId),
    (activated) =>
      activated === undefined
        ? undefined
        : { action: "version.activate", target: versionId, details: { agent_id: agentId } },
  );
  if (agent !== undefined) return renderAgent(control.publicUrl, agent);
  requireFound(await agents.findAgent(control.db, organizationId, input.agentId), "agent");
  const version = requireFound(await versions.findVersion(control.db, organizationId, input.versionId), "version");
  if (version.agentId !== input.agentId) throw notFound("version");
  throw new AppError("conflict", `version ${version.id} is ${version.state}; only a ready version can be active`);
}

// Creates an agent from a ready bundle and starts the build of its first version.

import { sourceSnapshotIdOf, type AgentCreated, type CreateAgentRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents, versions } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import { renderAgent } from "../views/agent.ts";
import { snapshotNotReadyError, readBundleManifest } from "../bundles/read-bundle-manifest.ts";
import { createVersion } from "../versions/create-version.ts";
import { getAgent } from "./get-agent.ts";

/**
 * If another agent has the name, `on_name_conflict` decides.
 * @throws AppError as `readBundleManifest`; `agent_name_taken`.
 */
export async function createAgent(control: Control, actor: Actor, request: CreateAgentRequest): Promise<AgentCreated> {
  const { on_name_conflict: onNameConflict = "number" } = request;
  const sourceSnapshotId = sourceSnapshotIdOf(request);
  const { manifest, warnings } = await readBundleManifest(control, actor, sourceSnapshotId, request.manifest);
  const agentId = newId("agent");
  const versionId = newId("version");
  const wanted = { name: request.name?.trim() ?? manifest.name, mayNumber: onNameConflict === "number" };
  const { organizationId } = actor;
  if (!wanted.mayNumber) {
    // A name that is taken needs no place in the quota of agents.
    const existing = await findNamed(control, actor, wanted.name);
    if (existing !== undefined) return publishOrRefuse(control, actor, request, { id: existing, name: wanted.name });
  }
  const version = { id: versionId, organizationId, agentId, sourceSnapshotId, manifest, warnings };
  const agent = await withAuditEntry(
    control,
    actor,
    (inside) => versions.insertAgentWithVersion(inside.db, wanted, version),
    (inserted) =>
      typeof inserted === "string"
        ? undefined
        : { action: "agent.create", target: agentId, details: { name: inserted.name, version_id: versionId } },
  );
  if (agent === "name_taken") {
    const existing = await findNamed(control, actor, wanted.name);
    // The agent was deleted in the meantime.
    if (existing === undefined)
      throw new AppError("conflict", `the name "${wanted.name}" has just become free; try again`);
    return publishOrRefuse(control, actor, request, { id: existing, name: wanted.name });
  }
  if (typeof agent === "string") throw snapshotNotReadyError();
  control.notifier.notify("build", versionId);
  const { name, createdAt } = agent;
  return {
    ...renderAgent(control.publicUrl, { id: agentId, name, description: null, activeVersionId: null, createdAt }),
    version_id: versionId,
    version_status: "building",
    warnings: [...warnings],
  };
}

async function findNamed(control: Control, { organizationId }: Actor, name: string): Promise<string | undefined> {
  return (await agents.findAgentIdsByName(control.db, organizationId, [name])).get(name);
}

/** Handles a name that another agent has. */
async function publishOrRefuse(
  control: Control,
  actor: Actor,
  request: CreateAgentRequest,
  { id: existing, name }: { readonly id: string; readonly name: string },
): Promise<AgentCreated> {
  if (request.on_name_conflict !== "new_version") {
    const advice = `publish a version of it with POST /v1/agents/${existing}/versions, or choose another name`;
    throw new AppError("agent_name_taken", `agent ${existing} already has the name "${name}"; ${advice}`);
  }
  const { name: _name, on_name_conflict: _choice, ...bundle } = request;
  const { version_id, version_status, warnings } = await createVersion(control, actor, existing, bundle);
  return { ...(await getAgent(control, actor, existing)), version_id, version_status, warnings };
}

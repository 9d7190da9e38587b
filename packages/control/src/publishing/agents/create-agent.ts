// Creates an agent from a ready bundle and starts the build of its first version.

import { sourceSnapshotIdOf, type AgentCreated, type CreateAgentRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { versions } from "@dari/db";
import { newId } from "@dari/domain";
import { renderAgent } from "../views/agent.ts";
import { snapshotNotReadyError, readBundleManifest } from "../bundles/read-bundle-manifest.ts";

/** @throws AppError as `readBundleManifest`. */
export async function createAgent(control: Control, actor: Actor, request: CreateAgentRequest): Promise<AgentCreated> {
  const sourceSnapshotId = sourceSnapshotIdOf(request);
  const { manifest, warnings } = await readBundleManifest(control, actor, sourceSnapshotId, request.manifest);
  const agentId = newId("agent");
  const versionId = newId("version");
  const name = request.name?.trim() ?? manifest.name;
  const version = {
    id: versionId,
    organizationId: actor.organizationId,
    agentId,
    sourceSnapshotId,
    manifest,
    warnings,
  };
  const agent = await withAuditEntry(
    control,
    actor,
    (inside) => versions.insertAgentWithVersion(inside.db, { name }, version),
    (inserted) =>
      typeof inserted === "string"
        ? undefined
        : { action: "agent.create", target: agentId, details: { name, version_id: versionId } },
  );
  if (typeof agent === "string") throw snapshotNotReadyError();
  control.notifier.notify("build", versionId);
  return {
    ...renderAgent(control.publicUrl, { id: agentId, name, activeVersionId: null, createdAt: agent.createdAt }),
    version_id: versionId,
    version_status: "building",
    warnings: [...warnings],
  };
}

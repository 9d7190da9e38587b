// Publishes a ready bundle as an agent's next version and starts its build.

import { sourceSnapshotIdOf, type CreateVersionRequest, type VersionCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents, versions } from "@dari/db";
import { requireFound, newId, notFound } from "@dari/domain";
import { agentAddresses } from "../views/agent.ts";
import { snapshotNotReadyError, readBundleManifest } from "../bundles/read-bundle-manifest.ts";

/** @throws AppError as `readBundleManifest`; `not_found` for the agent. */
export async function createVersion(
  control: Control,
  actor: Actor,
  agentId: string,
  request: CreateVersionRequest,
): Promise<VersionCreated> {
  const { organizationId } = actor;
  requireFound(await agents.findAgent(control.db, organizationId, agentId), "agent");
  const sourceSnapshotId = sourceSnapshotIdOf(request);
  const { manifest, warnings } = await readBundleManifest(control, actor, sourceSnapshotId, request.manifest);
  const versionId = newId("version");
  const version = { id: versionId, organizationId, agentId, sourceSnapshotId, manifest, warnings };
  const published = await withAuditEntry(
    control,
    actor,
    (inside) => versions.insertVersionIfAgentLive(inside.db, version),
    (inserted) =>
      typeof inserted === "string"
        ? undefined
        : {
            action: "version.publish",
            target: versionId,
            details: { agent_id: agentId, source_snapshot_id: sourceSnapshotId },
          },
  );
  if (published === "agent_gone") throw notFound("agent");
  if (published === "snapshot_gone") throw snapshotNotReadyError();
  control.notifier.notify("build", versionId);
  return {
    ...agentAddresses(control.publicUrl, agentId),
    version_id: versionId,
    version_status: "building",
    warnings: [...warnings],
  };
}

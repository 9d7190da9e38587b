// Publishes a ready bundle as an agent's next version and starts its build.

import { sourceSnapshotIdOf, type CreateVersionRequest, type VersionCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { agents, versions } from "@dari/db";
import { requireFound, newId, notFound } from "@dari/domain";
import { agentAddresses } from "../views/agent.ts";
import { getVersionPublication } from "./get-publication.ts";
import { snapshotNotReadyError, readBundleManifest } from "../bundles/read-bundle-manifest.ts";

/**
 * With `only_if_changed`, returns the current version if it is the same.
 * @throws AppError as `readBundleManifest`; `not_found` for the agent.
 */
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
  const activatesItself = request.activate ?? true;
  const version = { id: versionId, organizationId, agentId, sourceSnapshotId, manifest, warnings, activatesItself };
  const onlyIfChanged = request.only_if_changed ?? false;
  const published = await withAuditEntry(
    control,
    actor,
    (inside) => versions.insertVersionIfAgentLive(inside.db, version, { onlyIfChanged }),
    (inserted) =>
      typeof inserted === "string" || "sameAs" in inserted
        ? undefined
        : {
            action: "version.publish",
            target: versionId,
            details: { agent_id: agentId, source_snapshot_id: sourceSnapshotId },
          },
  );
  if (published === "agent_gone") throw notFound("agent");
  if (published === "snapshot_gone") throw snapshotNotReadyError();
  if ("sameAs" in published) {
    return { ...(await getVersionPublication(control, actor, published.sameAs)), unchanged: true };
  }
  control.notifier.notify("build", versionId);
  return {
    ...agentAddresses(control.publicUrl, agentId),
    version_id: versionId,
    version_status: "building",
    warnings: [...warnings],
  };
}

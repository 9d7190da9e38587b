// Renders agents and versions for clients.

import type { AgentRecord, VersionRecord } from "@dari/contract";
import type { AgentRow, VersionRow } from "@dari/db";
import { deploymentIdOf } from "@dari/domain";

/** Returns an agent's URLs, under both of its names. */
export function agentAddresses(
  publicUrl: string,
  agentId: string,
): Pick<AgentRecord, "agent_id" | "deployment_id" | "agent_url" | "deployment_url"> {
  const deploymentId = deploymentIdOf(agentId);
  return {
    agent_id: agentId,
    deployment_id: deploymentId,
    agent_url: `${publicUrl}/v1/agents/${agentId}`,
    deployment_url: `${publicUrl}/v1/deployments/${deploymentId}`,
  };
}

export function renderAgent(publicUrl: string, row: AgentRow): AgentRecord {
  return {
    id: row.id,
    ...agentAddresses(publicUrl, row.id),
    name: row.name,
    description: row.description,
    active_version_id: row.activeVersionId,
    created_at: row.createdAt.toISOString(),
  };
}

export function renderVersion(row: VersionRow): VersionRecord {
  return {
    id: row.id,
    version_id: row.id,
    agent_id: row.agentId,
    deployment_id: deploymentIdOf(row.agentId),
    number: row.number,
    status: row.state,
    active: row.active,
    is_active: row.active,
    source_snapshot_id: row.sourceSnapshotId,
    archive_sha256: row.archiveSha256,
    metadata: row.metadata as VersionRecord["metadata"],
    size_bytes: row.archiveBytes,
    // Stored as the contract's parser returned it.
    manifest: row.manifest as Record<string, unknown>,
    runtime: runtimeOf(row.image),
    warnings: [...row.warnings],
    failure: row.failure,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** Returns the runtime that the build chose. */
function runtimeOf(image: unknown): VersionRecord["runtime"] {
  const { runtime } = (image ?? {}) as { runtime?: { language: string; version: string } };
  return runtime === undefined ? null : { language: runtime.language, version: runtime.version };
}

// Sets an organization's limits for turns and storage. For operators only: nobody raises its own limits.

import type { OrganizationRecord, UpdateOrganizationRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { organizations } from "@dari/db";
import { found } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { renderLimits, renderOrganization } from "../views/organization.ts";

/**
 * Absent fields stay unchanged. Takes effect with the next dispatch, and within a second for accepted messages.
 * @throws AppError `not_found`
 */
export async function updateOrganization(
  control: Control,
  actor: Actor,
  organizationId: string,
  request: UpdateOrganizationRequest,
): Promise<OrganizationRecord> {
  const { after } = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const updated = await organizations.updateOrganizationLimits(inside.db, organizationId, {
        weight: request.weight,
        maxConcurrency: request.max_concurrency,
        maxBacklog: request.max_backlog,
        maxWorkspaceBytes: request.max_workspace_bytes,
        maxWorkspaceFiles: request.max_workspace_files,
        maxWorkspaceFileBytes: request.max_workspace_file_bytes,
        sessionRetentionDays: request.session_retention_days,
        maxRequestsPerMinute: request.max_requests_per_minute,
        maxMessagesPerMinute: request.max_messages_per_minute,
        maxUploadBytesPerHour: request.max_upload_bytes_per_hour,
        maxStorageBytes: request.max_storage_bytes,
        maxFiles: request.max_files,
        maxAgents: request.max_agents,
        maxSessions: request.max_sessions,
        maxApiKeys: request.max_api_keys,
      });
      return found(updated, "organization");
    },
    (updated) => ({
      action: "organization.update",
      target: organizationId,
      organizationId,
      details: { before: renderLimits(updated.before), after: renderLimits(updated.after) },
    }),
  );
  // The organization may now be allowed to run more.
  control.notifier.notify("ready", organizationId);
  return renderOrganization(after, actor);
}

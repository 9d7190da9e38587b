// Publishing: bundles, agents and versions.

import Type from "typebox";
import type { Route } from "../routes.ts";
import * as agents from "../schemas/agents.ts";
import { Deleted, flag, listOf, listQuery } from "../schemas/common.ts";
import * as snapshots from "../schemas/source-snapshots.ts";

const page = Type.Object(listQuery);

export const agentRoutes = {
  createSourceSnapshot: {
    method: "POST",
    path: "/v1/source-snapshots",
    scope: "deploy",
    summary: "Reserve a bundle and get the address to upload it to.",
    request: snapshots.CreateSourceSnapshotRequest,
    reply: snapshots.SourceSnapshotCreated,
    status: 201,
    spends: "reservation",
    idempotent: true,
  },
  uploadBundle: {
    method: "PUT",
    path: "/v1/source-snapshots/{source_snapshot_id}/content",
    scope: null,
    summary: "Upload the bundle's bytes. The query authorizes; send no key.",
    query: Type.Object({ expires: Type.String(), signature: Type.String() }),
    requestContent: "application/octet-stream",
    reply: snapshots.BundleUploaded,
    status: 200,
  },
  finalizeSourceSnapshot: {
    method: "POST",
    path: "/v1/source-snapshots/{source_snapshot_id}/finalize",
    scope: "deploy",
    summary: "Check an uploaded bundle: presence, size, checksum, and what is inside.",
    reply: snapshots.SourceSnapshotFinalized,
    status: 200,
  },
  deleteSourceSnapshot: {
    method: "DELETE",
    path: "/v1/source-snapshots/{source_snapshot_id}",
    scope: "deploy",
    summary: "Delete a bundle that no version uses.",
    reply: Deleted,
    status: 200,
  },
  createAgent: {
    method: "POST",
    path: "/v1/agents",
    scope: "deploy",
    summary: "Create an agent from a bundle and build its first version.",
    request: agents.CreateAgentRequest,
    reply: agents.AgentCreated,
    status: 201,
    idempotent: true,
  },
  listAgents: {
    method: "GET",
    path: "/v1/agents",
    scope: "read",
    summary: "List agents, newest first.",
    query: page,
    reply: listOf("agents", agents.AgentRecord),
    status: 200,
  },
  getAgent: {
    method: "GET",
    path: "/v1/agents/{agent_id}",
    scope: "read",
    summary: "Get an agent.",
    reply: agents.AgentRecord,
    status: 200,
  },
  deleteAgent: {
    method: "DELETE",
    path: "/v1/agents/{agent_id}",
    scope: "deploy",
    summary: "Delete an agent: no new sessions, running ones finish.",
    reply: Deleted,
    status: 200,
  },
  createVersion: {
    method: "POST",
    path: "/v1/agents/{agent_id}/versions",
    scope: "deploy",
    summary: "Publish a bundle as the agent's next version.",
    request: agents.CreateVersionRequest,
    reply: agents.VersionCreated,
    status: 201,
    idempotent: true,
  },
  listVersions: {
    method: "GET",
    path: "/v1/agents/{agent_id}/versions",
    scope: "read",
    summary: "List an agent's versions, newest first.",
    query: page,
    reply: listOf("versions", agents.VersionRecord),
    status: 200,
  },
  getVersion: {
    method: "GET",
    path: "/v1/agents/{agent_id}/versions/{version_id}",
    scope: "read",
    summary: "Get a version.",
    reply: agents.VersionRecord,
    status: 200,
  },
  activateVersion: {
    method: "POST",
    path: "/v1/agents/{agent_id}/activate",
    scope: "deploy",
    summary: "Make a ready version the active one, for example to go back to an older one.",
    request: agents.ActivateVersionRequest,
    reply: agents.AgentRecord,
    status: 200,
  },
  getBuildLogs: {
    method: "GET",
    path: "/v1/versions/{version_id}/build-logs",
    scope: "read",
    summary: "The build's log; with `follow=1` until the build ends.",
    query: Type.Object({ follow: flag }),
    replyContent: "text/plain",
    status: 200,
  },
} as const satisfies Record<string, Route>;

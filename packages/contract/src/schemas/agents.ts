// Agents (also called deployments) and their immutable versions.

import {
  agentNameExpected,
  agentNamePattern,
  failureCodes,
  limits,
  versionMachine,
  type FailureCode,
} from "@dari/domain";
import Type, { type Static } from "typebox";
import { idInput, idOutput, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";

/** `dari.yml` as an object. `normalizeManifest` checks it and names problems by their place in the manifest. */
const manifestInput = Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: "object" }));

const bundleReference = {
  manifest: manifestInput,
  source_snapshot_id: Type.Optional(idInput("sourceSnapshot")),
  source: Type.Optional(
    Type.Object({ type: oneOf(["upload"]), source_snapshot_id: idInput("sourceSnapshot") }, noOtherFields),
  ),
};

const exactlyOneBundle = {
  ...noOtherFields,
  oneOf: [{ required: ["source_snapshot_id"] }, { required: ["source"] }],
  "x-expected": "either source_snapshot_id or source",
};

const agentName = {
  maxLength: limits.nameChars,
  pattern: agentNamePattern,
  "x-expected": agentNameExpected,
};

/** What to do if another agent of the organization has the name. */
export const nameConflictChoices = ["number", "refuse", "new_version"] as const;

export const CreateAgentRequest = Type.Object(
  {
    name: Type.Optional(Type.String({ ...agentName, description: "Default: the manifest's name." })),
    on_name_conflict: Type.Optional(
      Type.Unsafe<(typeof nameConflictChoices)[number]>({
        ...oneOf(nameConflictChoices),
        description:
          "What to do if another agent has the name. `number` (default): create the agent as `name-2`, `name-3`, …. " +
          "`refuse`: 409 `agent_name_taken`. `new_version`: publish the bundle as that agent's next version.",
      }),
    ),
    ...bundleReference,
  },
  { ...exactlyOneBundle, title: "CreateAgentRequest" },
);
export type CreateAgentRequest = Static<typeof CreateAgentRequest>;

export const UpdateAgentRequest = Type.Object(
  { name: Type.String({ ...agentName, description: "The new name. Unique in the organization." }) },
  { ...noOtherFields, title: "UpdateAgentRequest" },
);
export type UpdateAgentRequest = Static<typeof UpdateAgentRequest>;

export const CreateVersionRequest = Type.Object(
  {
    ...bundleReference,
    activate: Type.Optional(
      Type.Boolean({
        description:
          "False: the version does not become active when it is ready. Sessions that name it can use it, and " +
          "`activate` makes it active. Default: true.",
      }),
    ),
    only_if_changed: Type.Optional(
      Type.Boolean({
        description:
          "True: publish nothing if the version that is active, or is being built to become active, has the same " +
          "bundle and manifest. The reply names that version. Default: false.",
      }),
    ),
  },
  { ...exactlyOneBundle, title: "CreateVersionRequest" },
);
export type CreateVersionRequest = Static<typeof CreateVersionRequest>;

/**
 * Returns the bundle that a validated request names, in either form.
 * Throws a TypeError if the request was not validated.
 */
export function sourceSnapshotIdOf(request: CreateAgentRequest | CreateVersionRequest): string {
  const id = request.source_snapshot_id ?? request.source?.source_snapshot_id;
  if (id === undefined) throw new TypeError("the request names no source snapshot");
  return id;
}

export const ActivateVersionRequest = Type.Object(
  { version_id: idInput("version") },
  { ...noOtherFields, title: "ActivateVersionRequest" },
);
export type ActivateVersionRequest = Static<typeof ActivateVersionRequest>;

const versionStatus = oneOf(versionMachine.states);

const agentFields = {
  id: idOutput("agent"),
  agent_id: idOutput("agent"),
  deployment_id: Type.String({ examples: ["dep_01jx5m0k8c3f7q2v9t4w6y8z1a"] }),
  name: Type.String({ description: "Unique in the organization." }),
  description: nullable(Type.String({ description: "What the manifest of the active version says about the agent." })),
  agent_url: Type.String(),
  deployment_url: Type.String(),
  active_version_id: nullable(idOutput("version")),
  created_at: timestamp,
};

export const AgentRecord = Type.Object(agentFields, { title: "Agent" });
export type AgentRecord = Static<typeof AgentRecord>;

const publication = {
  version_id: idOutput("version"),
  version_status: versionStatus,
  warnings: Type.Array(Type.String(), {
    description: "Problems that do not stop the build, for example a runtime version that is replaced by another.",
  }),
};

export const AgentCreated = Type.Object({ ...agentFields, ...publication }, { title: "AgentCreated" });
export type AgentCreated = Static<typeof AgentCreated>;

export const VersionCreated = Type.Object(
  {
    agent_id: agentFields.agent_id,
    deployment_id: agentFields.deployment_id,
    agent_url: agentFields.agent_url,
    deployment_url: agentFields.deployment_url,
    ...publication,
    unchanged: Type.Optional(
      Type.Literal(true, {
        description: "Nothing was published: `version_id` is an earlier version with the same bundle and manifest.",
      }),
    ),
  },
  { title: "VersionCreated" },
);
export type VersionCreated = Static<typeof VersionCreated>;

const failureCodeWords = Object.keys(failureCodes) as FailureCode[];

/** Why a build or an attempt failed. */
export const FailureRecord = Type.Object(
  { code: oneOf(failureCodeWords), message: Type.String() },
  { title: "Failure" },
);
export type FailureRecord = Static<typeof FailureRecord>;

export const VersionRecord = Type.Object(
  {
    id: idOutput("version"),
    version_id: idOutput("version"),
    agent_id: agentFields.agent_id,
    deployment_id: agentFields.deployment_id,
    number: Type.Integer({ description: "Position among the agent's versions, in the order of publication, from 1." }),
    status: versionStatus,
    active: Type.Boolean(),
    is_active: Type.Boolean({ description: "Same as `active`; the hosted service's name for it." }),
    source_snapshot_id: idOutput("sourceSnapshot"),
    archive_sha256: Type.String({ description: "SHA-256 of the uploaded bundle, in hexadecimal." }),
    size_bytes: Type.Integer({ description: "Size of the uploaded bundle, in bytes." }),
    metadata: Type.Record(Type.String(), Type.Unknown(), {
      description: "Metadata of the bundle, as uploaded. `dari deploy` sends the commit and who made it.",
    }),
    manifest: Type.Unsafe<Record<string, unknown>>({ type: "object" }),
    runtime: nullable(Type.Object({ language: Type.String(), version: Type.String() })),
    warnings: Type.Array(Type.String()),
    failure: nullable(FailureRecord),
    created_at: timestamp,
    finished_at: nullable(timestamp),
  },
  { title: "Version" },
);
export type VersionRecord = Static<typeof VersionRecord>;

export const VersionBundle = Type.Object(
  {
    agent_id: agentFields.agent_id,
    version_id: idOutput("version"),
    source_snapshot_id: idOutput("sourceSnapshot"),
    archive_sha256: VersionRecord.properties.archive_sha256,
    size_bytes: VersionRecord.properties.size_bytes,
    files: Type.Array(
      Type.Object({
        path: Type.String({ examples: ["src/agent.js"] }),
        size_bytes: Type.Integer(),
        is_executable: Type.Boolean(),
      }),
      { description: "Sorted by path." },
    ),
  },
  { title: "VersionBundle" },
);
export type VersionBundle = Static<typeof VersionBundle>;

export const bundleFileQuery = Type.Object({
  path: Type.String({
    minLength: 1,
    maxLength: limits.bundlePathBytes,
    description: "Path of the file, as the list of the bundle's files shows it.",
  }),
});

export const VersionBundleFile = Type.Object(
  {
    version_id: idOutput("version"),
    path: Type.String(),
    size_bytes: Type.Integer(),
    content: Type.String({ description: `The file's text, at most ${limits.bundleFileTextBytes} bytes of UTF-8.` }),
  },
  { title: "VersionBundleFile" },
);
export type VersionBundleFile = Static<typeof VersionBundleFile>;

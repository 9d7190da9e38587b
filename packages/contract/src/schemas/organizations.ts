// Organizations, their keys and credentials, and the first requests of the hosted service's command line.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { limitInput, idOutput, name, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { credentialHosts } from "./egress.ts";
import { environmentName } from "./sessions.ts";
import { roles, apiKeyScopes, type ApiKeyScope } from "../vocabulary.ts";

/** What each limit of an organization bounds. */
export const limitMeanings = {
  weight: "Share of the fleet's slots, relative to other organizations that wait.",
  max_concurrency: "Maximum number of concurrent turns. Null: the platform's default.",
  max_backlog: "Messages that wait or run. Null: the platform's default.",
  max_workspace_bytes: "Bytes in one workspace. Null: the platform's default, which is the maximum.",
  max_workspace_files: "Files and directories in one workspace. Null: the platform's default.",
  max_workspace_file_bytes: "Bytes in one file of a workspace. Null: the platform's default.",
  session_retention_days:
    "Days without a message or a write until a session expires. It is deleted a week later. Null: never.",
  max_requests_per_minute: "Requests per minute by all keys together. Null: the platform's default.",
  max_messages_per_minute: "Messages sent per minute by all keys together. Null: the platform's default.",
  max_upload_bytes_per_hour: "Bytes uploaded per hour by all keys together. Null: the platform's default.",
  max_storage_bytes: "Bytes of uploaded files, bundles, workspaces and tool calls together. Null: no limit.",
  max_files: "Uploaded files. Null: no limit.",
  max_agents: "Agents. Null: no limit.",
  max_sessions: "Sessions, including ended ones. Null: no limit.",
  max_api_keys: "API keys that are neither revoked nor expired. Null: no limit.",
  max_turn_memory_bytes: "Bytes of memory of one turn. Null: the platform's maximum.",
  max_turn_cpus: "Processors that one turn uses at once. Null: the platform's maximum.",
} as const;

function limitOf(field: keyof typeof limitMeanings) {
  return nullable(Type.Integer({ description: limitMeanings[field] }));
}

export const OrganizationRecord = Type.Object(
  {
    id: idOutput("organization"),
    name: Type.String(),
    slug: Type.String(),
    role: oneOf(roles),
    is_operator: Type.Boolean({ description: "True: its admin keys are operators of the whole installation." }),
    weight: Type.Integer({ description: limitMeanings.weight }),
    max_concurrency: limitOf("max_concurrency"),
    max_backlog: limitOf("max_backlog"),
    max_workspace_bytes: limitOf("max_workspace_bytes"),
    max_workspace_files: limitOf("max_workspace_files"),
    max_workspace_file_bytes: limitOf("max_workspace_file_bytes"),
    session_retention_days: limitOf("session_retention_days"),
    max_requests_per_minute: limitOf("max_requests_per_minute"),
    max_messages_per_minute: limitOf("max_messages_per_minute"),
    max_upload_bytes_per_hour: limitOf("max_upload_bytes_per_hour"),
    max_storage_bytes: limitOf("max_storage_bytes"),
    max_files: limitOf("max_files"),
    max_agents: limitOf("max_agents"),
    max_sessions: limitOf("max_sessions"),
    max_api_keys: limitOf("max_api_keys"),
    max_turn_memory_bytes: limitOf("max_turn_memory_bytes"),
    max_turn_cpus: nullable(Type.Number({ description: limitMeanings.max_turn_cpus })),
    created_at: timestamp,
  },
  { title: "Organization" },
);
export type OrganizationRecord = Static<typeof OrganizationRecord>;

export const OrganizationCreated = Type.Object(
  {
    ...OrganizationRecord.properties,
    api_key: Type.Optional(Type.String({ description: "The new organization's admin key. Shown once." })),
  },
  { title: "OrganizationCreated" },
);
export type OrganizationCreated = Static<typeof OrganizationCreated>;

export const CreateOrganizationRequest = Type.Object(
  {
    name,
    slug: Type.Optional(
      Type.String({
        pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "x-expected": "1 to 63 lower-case letters, digits and inner hyphens",
      }),
    ),
  },
  { ...noOtherFields, title: "CreateOrganizationRequest" },
);
export type CreateOrganizationRequest = Static<typeof CreateOrganizationRequest>;

/** What a key allows. `admin` includes all scopes; every key allows reading. */

/** Returns whether a key with the scopes `granted` may call a route that requires `needed`. */
export function hasScope(granted: readonly string[], needed: ApiKeyScope): boolean {
  return granted.includes("admin") || granted.includes(needed) || (needed === "read" && granted.length > 0);
}

const keyLimitMeanings = {
  max_requests_per_minute: "Requests per minute by this key. Null: only the organization's limit.",
  max_messages_per_minute: "Messages sent per minute by this key. Null: only the organization's limit.",
  max_upload_bytes_per_hour: "Bytes uploaded per hour by this key. Null: only the organization's limit.",
} as const;

export const CreateApiKeyRequest = Type.Object(
  {
    label: name,
    scopes: Type.Optional(Type.Array(oneOf(apiKeyScopes), { minItems: 1, uniqueItems: true })),
    key_type: Type.Optional(
      Type.Unsafe<"management" | "routing">({
        ...oneOf(["management", "routing"]),
        description: "For the hosted service's clients. Every key is a `management` key; `routing` is refused.",
      }),
    ),
    expires_at: Type.Optional(Type.String({ format: "date-time" })),
    max_requests_per_minute: Type.Optional(
      limitInput(limits.organizationRateMax, keyLimitMeanings.max_requests_per_minute),
    ),
    max_messages_per_minute: Type.Optional(
      limitInput(limits.organizationRateMax, keyLimitMeanings.max_messages_per_minute),
    ),
    max_upload_bytes_per_hour: Type.Optional(
      limitInput(limits.organizationUploadBytesMax, keyLimitMeanings.max_upload_bytes_per_hour),
    ),
  },
  { ...noOtherFields, title: "CreateApiKeyRequest" },
);
export type CreateApiKeyRequest = Static<typeof CreateApiKeyRequest>;

const apiKeyFields = {
  id: idOutput("apiKey"),
  label: Type.String(),
  scopes: Type.Array(oneOf(apiKeyScopes)),
  created_at: timestamp,
  expires_at: nullable(timestamp),
  last_used_at: nullable(timestamp),
  max_requests_per_minute: nullable(Type.Integer({ description: keyLimitMeanings.max_requests_per_minute })),
  max_messages_per_minute: nullable(Type.Integer({ description: keyLimitMeanings.max_messages_per_minute })),
  max_upload_bytes_per_hour: nullable(Type.Integer({ description: keyLimitMeanings.max_upload_bytes_per_hour })),
};

export const ApiKeyRecord = Type.Object(apiKeyFields, { title: "ApiKey" });
export type ApiKeyRecord = Static<typeof ApiKeyRecord>;

export const ApiKeyRevoked = Type.Object(
  {
    deleted: Type.Literal(true),
    id: Type.String(),
    active_schedules: Type.Array(idOutput("schedule"), {
      description:
        "Active schedules that this key created or changed last. They continue; pause or delete those you do not want.",
    }),
  },
  { title: "ApiKeyRevoked" },
);
export type ApiKeyRevoked = Static<typeof ApiKeyRevoked>;

export const ApiKeyCreated = Type.Object(
  {
    ...apiKeyFields,
    api_key: Type.Optional(
      Type.String({ description: "The secret. Shown once: absent if an idempotent request is repeated." }),
    ),
  },
  { title: "ApiKeyCreated" },
);
export type ApiKeyCreated = Static<typeof ApiKeyCreated>;

const keptFor = nullable(
  Type.Array(Type.String(), {
    description:
      "Agents get a placeholder; requests to these hosts carry the value instead. Null: agents get the value.",
  }),
);

/** A credential without its value, which no reply contains. */
export const CredentialRecord = Type.Object(
  { id: idOutput("credential"), name: Type.String(), hosts: keptFor, created_at: timestamp, updated_at: timestamp },
  { title: "Credential" },
);
export type CredentialRecord = Static<typeof CredentialRecord>;

/** The rule for the `{name}` in a credential's path. */
export const credentialName = Type.String({
  pattern: environmentName,
  maxLength: limits.nameChars,
  "x-expected": `a name matching ${environmentName}`,
});

export const PutCredentialRequest = Type.Object(
  {
    value: Type.String({ minLength: 1, "x-max-bytes": limits.secretValueBytes }),
    hosts: Type.Optional(
      Type.Unsafe<string[] | null>({
        ...credentialHosts(
          "Agents get a placeholder, which is replaced by the value in the headers of HTTPS requests to these hosts. " +
            "Null: agents get the value. Absent: unchanged.",
        ),
        type: ["array", "null"],
        minItems: 1,
      }),
    ),
  },
  { ...noOtherFields, title: "PutCredentialRequest" },
);
export type PutCredentialRequest = Static<typeof PutCredentialRequest>;

export const CredentialPut = Type.Object(
  {
    id: idOutput("credential"),
    name: Type.String(),
    created: Type.Boolean({ description: "False if an existing value was replaced." }),
    hosts: keptFor,
  },
  { title: "CredentialPut" },
);
export type CredentialPut = Static<typeof CredentialPut>;

export const AuthConfig = Type.Object(
  {
    supabase_url: Type.String(),
    supabase_publishable_key: Type.String(),
    sign_in: Type.Optional(
      Type.Object(
        {
          oidc: Type.Boolean({ description: "True: people can sign in through an identity provider." }),
          oidc_name: nullable(Type.String({ description: "Name of the identity provider." })),
        },
        { title: "SignInWays" },
      ),
    ),
    release: Type.Optional(Type.String({ description: "Release of the platform." })),
  },
  { title: "AuthConfig" },
);
export type AuthConfig = Static<typeof AuthConfig>;

export const Bootstrap = Type.Object({ organizations: Type.Array(OrganizationRecord) }, { title: "Bootstrap" });
export type Bootstrap = Static<typeof Bootstrap>;

export const EnsureManagedKeyRequest = Type.Object(
  { device_name: name },
  { ...noOtherFields, title: "EnsureManagedKeyRequest" },
);
export type EnsureManagedKeyRequest = Static<typeof EnsureManagedKeyRequest>;

export const ManagedKey = Type.Object({ api_key: Type.String() }, { title: "ManagedKey" });
export type ManagedKey = Static<typeof ManagedKey>;

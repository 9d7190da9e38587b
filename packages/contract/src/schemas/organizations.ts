// Organizations, their keys and credentials, and what the vendor's client asks first.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { bound, idOutput, name, nullable, oneOf, strict, timestamp } from "./common.ts";
import { egressHosts } from "./egress.ts";
import { environmentName } from "./sessions.ts";

export const roles = ["owner", "admin", "member"] as const;
export type Role = (typeof roles)[number];

export const OrganizationRecord = Type.Object(
  {
    id: idOutput("organization"),
    name: Type.String(),
    slug: Type.String(),
    role: oneOf(roles),
    is_operator: Type.Boolean({ description: "Its admin keys look after the whole installation." }),
    weight: Type.Integer({ description: "Its share of the fleet beside other organizations that wait." }),
    max_concurrency: nullable(Type.Integer({ description: "Turns at once; null: the platform's default." })),
    max_backlog: nullable(Type.Integer({ description: "Messages that wait or run; null: the platform's default." })),
    max_workspace_bytes: nullable(Type.Integer({ description: "Of a workspace; null: the platform's default." })),
    max_workspace_files: nullable(
      Type.Integer({ description: "Files and directories of a workspace; null: the platform's default." }),
    ),
    max_workspace_file_bytes: nullable(
      Type.Integer({ description: "Of one file of a workspace; null: the platform's default." }),
    ),
    session_retention_days: nullable(
      Type.Integer({
        description: "Days without a message or a write after which a session expires; null: never.",
      }),
    ),
    max_requests_per_minute: nullable(
      Type.Integer({ description: "Of all keys together; null: the platform's default." }),
    ),
    max_messages_per_minute: nullable(
      Type.Integer({ description: "Sent by all keys together; null: the platform's default." }),
    ),
    max_upload_bytes_per_hour: nullable(
      Type.Integer({ description: "Of all keys together; null: the platform's default." }),
    ),
    max_storage_bytes: nullable(
      Type.Integer({ description: "Of uploaded files and bundles together; null: no bound." }),
    ),
    max_files: nullable(Type.Integer({ description: "Uploaded files that are kept; null: no bound." })),
    max_agents: nullable(Type.Integer({ description: "Agents that are kept; null: no bound." })),
    max_sessions: nullable(
      Type.Integer({ description: "Sessions that are kept, ended ones included; null: no bound." }),
    ),
    max_api_keys: nullable(Type.Integer({ description: "Keys that may be used; null: no bound." })),
    created_at: timestamp,
  },
  { title: "Organization" },
);
export type OrganizationRecord = Static<typeof OrganizationRecord>;

export const OrganizationCreated = Type.Object(
  {
    ...OrganizationRecord.properties,
    api_key: Type.Optional(Type.String({ description: "The new organization's admin key; shown once." })),
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
  { ...strict, title: "CreateOrganizationRequest" },
);
export type CreateOrganizationRequest = Static<typeof CreateOrganizationRequest>;

/** What a key may do. `admin` includes all; every key may read. */
export const apiKeyScopes = ["admin", "deploy", "run", "read"] as const;
export type ApiKeyScope = (typeof apiKeyScopes)[number];

/** True when a key with `granted` scopes may call a route that needs `needed`. */
export function hasScope(granted: readonly string[], needed: ApiKeyScope): boolean {
  return granted.includes("admin") || granted.includes(needed) || (needed === "read" && granted.length > 0);
}

export const CreateApiKeyRequest = Type.Object(
  {
    label: name,
    scopes: Type.Optional(Type.Array(oneOf(apiKeyScopes), { minItems: 1, uniqueItems: true })),
    key_type: Type.Optional(
      Type.Unsafe<"management" | "routing">({
        ...oneOf(["management", "routing"]),
        description: "For the hosted service's clients. Every key here is a `management` key; `routing` is refused.",
      }),
    ),
    expires_at: Type.Optional(Type.String({ format: "date-time" })),
    max_requests_per_minute: Type.Optional(
      bound(limits.organizationRateMax, "By this key; null: no bound of its own."),
    ),
    max_messages_per_minute: Type.Optional(
      bound(limits.organizationRateMax, "Sent by this key; null: no bound of its own."),
    ),
    max_upload_bytes_per_hour: Type.Optional(
      bound(limits.organizationUploadBytesMax, "By this key; null: no bound of its own."),
    ),
  },
  { ...strict, title: "CreateApiKeyRequest" },
);
export type CreateApiKeyRequest = Static<typeof CreateApiKeyRequest>;

const apiKeyFields = {
  id: idOutput("apiKey"),
  label: Type.String(),
  scopes: Type.Array(oneOf(apiKeyScopes)),
  created_at: timestamp,
  expires_at: nullable(timestamp),
  last_used_at: nullable(timestamp),
  max_requests_per_minute: nullable(Type.Integer({ description: "By this key; null: no bound of its own." })),
  max_messages_per_minute: nullable(Type.Integer({ description: "Sent by this key; null: no bound of its own." })),
  max_upload_bytes_per_hour: nullable(Type.Integer({ description: "By this key; null: no bound of its own." })),
};

export const ApiKeyRecord = Type.Object(apiKeyFields, { title: "ApiKey" });
export type ApiKeyRecord = Static<typeof ApiKeyRecord>;

export const ApiKeyRevoked = Type.Object(
  {
    deleted: Type.Literal(true),
    id: Type.String(),
    active_schedules: Type.Array(idOutput("schedule"), {
      description:
        "Schedules that this key made or changed last. They go on: pause or delete what it should not leave.",
    }),
  },
  { title: "ApiKeyRevoked" },
);
export type ApiKeyRevoked = Static<typeof ApiKeyRevoked>;

export const ApiKeyCreated = Type.Object(
  {
    ...apiKeyFields,
    api_key: Type.Optional(Type.String({ description: "The secret, shown once; absent when a call is replayed." })),
  },
  { title: "ApiKeyCreated" },
);
export type ApiKeyCreated = Static<typeof ApiKeyCreated>;

const keptFor = nullable(
  Type.Array(Type.String(), {
    description: "Where its value is put in for the placeholder that agents are given; null: they are given the value.",
  }),
);

/** A secret's name and dates; its value never leaves. */
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
        ...egressHosts(
          "Agents are given a placeholder, and the value is put into their HTTPS requests' headers to these hosts. " +
            "Null: they are given the value. Absent: as before.",
        ),
        type: ["array", "null"],
        minItems: 1,
      }),
    ),
  },
  { ...strict, title: "PutCredentialRequest" },
);
export type PutCredentialRequest = Static<typeof PutCredentialRequest>;

export const CredentialPut = Type.Object(
  {
    id: idOutput("credential"),
    name: Type.String(),
    created: Type.Boolean({ description: "False when a value was replaced." }),
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
          oidc: Type.Boolean({ description: "People can sign in through an identity provider." }),
          oidc_name: nullable(Type.String({ description: "What the provider is called." })),
        },
        { title: "SignInWays" },
      ),
    ),
    release: Type.Optional(Type.String({ description: "Of the platform." })),
  },
  { title: "AuthConfig" },
);
export type AuthConfig = Static<typeof AuthConfig>;

export const Bootstrap = Type.Object({ organizations: Type.Array(OrganizationRecord) }, { title: "Bootstrap" });
export type Bootstrap = Static<typeof Bootstrap>;

export const EnsureManagedKeyRequest = Type.Object(
  { device_name: name },
  { ...strict, title: "EnsureManagedKeyRequest" },
);
export type EnsureManagedKeyRequest = Static<typeof EnsureManagedKeyRequest>;

export const ManagedKey = Type.Object({ api_key: Type.String() }, { title: "ManagedKey" });
export type ManagedKey = Static<typeof ManagedKey>;

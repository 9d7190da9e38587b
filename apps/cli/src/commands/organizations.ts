// `dari credentials …`, `dari org …`, `dari api-keys …`: what an organization owns besides agents.

import { type ApiKeyScope, apiKeyScopes } from "@dari/contract/vocabulary";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { given, organizationOption, type OrganizationOption } from "../options.ts";
import { addAnswerRecordingCommands } from "./answer-recording.ts";
import { addBudgetCommands } from "./budgets.ts";
import { addLimitCommands, count } from "./limits.ts";
import { addMemberCommands } from "./members.ts";
import { addUsageCommand } from "./usage.ts";
import { readSecret } from "../secret-input.ts";

interface CreateKeyOptions extends OrganizationOption {
  readonly scope?: ApiKeyScope[];
  readonly expiresAt?: string;
  readonly maxRequestsPerMinute?: number;
  readonly maxMessagesPerMinute?: number;
  readonly maxUploadBytesPerHour?: number;
}

export function addOrganizationCommands(program: Command, io: Io): void {
  addCredentialCommands(
    program.command("credentials").description("manage the secrets that agents name in dari.yml"),
    io,
  );
  addApiKeyCommands(program.command("api-keys").description("manage the organization's API keys"), io);
  const org = program.command("org").description("organizations");
  addLimitCommands(org, io);
  addBudgetCommands(org, io);
  addUsageCommand(org, io);
  addMemberCommands(org, io);
  addAnswerRecordingCommands(org, io);
  org
    .command("list")
    .description("list the organizations that the key can use")
    .action((_options: unknown, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listOrganizations(page, call),
        headings: ["ORGANIZATION", "SLUG", "ROLE", "NAME"],
        cells: (row) => [row.id, row.slug, row.role, row.name],
      }),
    );
}

interface AddCredentialOptions extends OrganizationOption {
  readonly valueStdin?: boolean;
  /** False: `--no-hosts`. Absent if neither `--hosts` nor `--no-hosts` was given. */
  readonly hosts?: string[] | false;
}

function addCredentialCommands(credentials: Command, io: Io): void {
  credentials
    .command("list")
    .description("list names; values are never shown")
    .addOption(organizationOption())
    .action(({ org }: OrganizationOption, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listCredentials(org, page, call),
        headings: ["NAME", "UPDATED", "HOSTS"],
        cells: (row) => [row.name, row.updated_at, row.hosts?.join(", ") ?? ""],
      }),
    );
  credentials
    .command("add <name>")
    .description("set a value; prompts for it without echo")
    .option("--value-stdin", "read the value from standard input")
    .option(
      "--hosts <host...>",
      "give agents a placeholder and insert the value into their HTTPS requests to these hosts",
    )
    .option("--no-hosts", "give agents the value (default: unchanged)")
    .addOption(organizationOption())
    .action(async (name: string, options: AddCredentialOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const value = await readSecret(io, `Value of ${name}: `, options.valueStdin ?? false);
      const hosts = options.hosts === undefined ? {} : { hosts: options.hosts === false ? null : options.hosts };
      const reply = await (await client()).putCredential(name, { value, ...hosts }, options.org, { signal });
      const kept =
        reply.hosts === null
          ? ""
          : `; agents get a placeholder, replaced by the value only in HTTPS requests to ${reply.hosts.join(", ")}`;
      output.result(reply, () => `${reply.created ? "added" : "replaced"} ${reply.name}${kept}`);
    });
  credentials
    .command("remove <name>")
    .description("remove a credential")
    .addOption(organizationOption())
    .action(async (name: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).deleteCredential(name, org, { signal });
      output.result(reply, () => `removed ${name}`);
    });
}

const onlyOrganization = "(default: only the organization's limit)";

function addApiKeyCommands(apiKeys: Command, io: Io): void {
  apiKeys
    .command("list")
    .description("list keys, without their secrets")
    .addOption(organizationOption())
    .action(({ org }: OrganizationOption, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listApiKeys(org, page, call),
        headings: ["KEY", "SCOPES", "CREATED", "EXPIRES", "LABEL"],
        cells: (row) => {
          return [row.id, row.scopes.join(","), row.created_at, row.expires_at ?? "", row.label];
        },
      }),
    );
  apiKeys
    .command("create <label>")
    .description("create a key; its secret is shown once, on standard output")
    .addOption(
      new Option("--scope <scope...>", "what the key can do (default: deploy, run, read)").choices(apiKeyScopes),
    )
    .option("--expires-at <time>", "when the key expires, as an RFC 3339 time")
    .addOption(
      new Option("--max-requests-per-minute <number>", `requests per minute ${onlyOrganization}`).argParser(count),
    )
    .addOption(
      new Option("--max-messages-per-minute <number>", `messages per minute ${onlyOrganization}`).argParser(count),
    )
    .addOption(
      new Option("--max-upload-bytes-per-hour <number>", `uploaded bytes per hour ${onlyOrganization}`).argParser(
        count,
      ),
    )
    .addOption(organizationOption())
    .action(async (label: string, options: CreateKeyOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const body = {
        label,
        ...given({
          scopes: options.scope,
          expires_at: options.expiresAt,
          max_requests_per_minute: options.maxRequestsPerMinute,
          max_messages_per_minute: options.maxMessagesPerMinute,
          max_upload_bytes_per_hour: options.maxUploadBytesPerHour,
        }),
      };
      const reply = await (await client()).createApiKey(body, options.org, { signal });
      output.progress(`Created ${reply.id}; this is the only time its secret is shown.`);
      output.result(reply, () => reply.api_key ?? "");
    });
  apiKeys
    .command("revoke <id>")
    .description("revoke a key immediately")
    .addOption(organizationOption())
    .action(async (id: string, { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const reply = await (await client()).revokeApiKey(id, org, { signal });
      for (const schedule of reply.active_schedules) {
        const stop = `stop it with: dari schedules pause ${schedule}`;
        output.progress(`schedule ${schedule}, created or last changed with this key, stays active; ${stop}`);
      }
      output.result(reply, () => `revoked ${id}`);
    });
}

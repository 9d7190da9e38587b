// `dari org limits …` and `dari org audit-log`: an organization's limits, and who changed what.

import type { OrganizationRecord, UpdateOrganizationRequest } from "@dari/contract";
import { type Command, InvalidArgumentError, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { invalid } from "../exit.ts";
import { limitOption, organizationOption, type OrganizationOption } from "../options.ts";

type Bounds = Omit<UpdateOrganizationRequest, "weight">;

const noLimit = "or 'default' (no limit)";

/** Each limit: how it is set and shown. */
const bounds: readonly (readonly [field: keyof Bounds, label: string, about: string])[] = [
  ["max_concurrency", "max concurrency", "maximum number of concurrent turns, or 'default'"],
  ["max_backlog", "max backlog", "maximum messages that wait or run, or 'default' (10,000)"],
  ["max_workspace_bytes", "workspace bytes", "maximum bytes of a workspace, or 'default' (10 GiB)"],
  ["max_workspace_files", "workspace files", "maximum number of files of a workspace, or 'default' (200,000)"],
  ["max_workspace_file_bytes", "file bytes", "maximum bytes of one file of a workspace, or 'default' (5 GiB)"],
  ["max_requests_per_minute", "requests/minute", "maximum requests per minute of all keys together, or 'default'"],
  ["max_messages_per_minute", "messages/minute", "maximum messages sent per minute, or 'default'"],
  ["max_upload_bytes_per_hour", "upload bytes/hour", "maximum bytes uploaded per hour, or 'default'"],
  [
    "max_storage_bytes",
    "storage bytes",
    `maximum bytes of files, bundles, workspaces and tool calls together, ${noLimit}`,
  ],
  ["max_files", "files", `maximum number of uploaded files, ${noLimit}`],
  ["max_agents", "agents", `maximum number of agents, ${noLimit}`],
  ["max_sessions", "sessions", `maximum number of sessions, including ended ones, ${noLimit}`],
  ["max_api_keys", "API keys", `maximum number of usable API keys, ${noLimit}`],
  ["max_turn_memory_bytes", "turn memory", "maximum bytes of memory of a turn, or 'default' (the platform's maximum)"],
  ["max_turn_cpus", "turn processors", "maximum processors of a turn, such as 0.5, or 'default'"],
];

type SetOptions = OrganizationOption & Readonly<Record<string, unknown>>;

export function addLimitCommands(org: Command, io: Io): void {
  const limits = org.command("limits").description("show or set an organization's limits");
  limits
    .command("get")
    .description("show the limits")
    .addOption(organizationOption())
    .action(async (options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getOrganization(options.org, { signal });
      output.result(record, () => renderLimits(record));
    });
  const set = limits
    .command("set")
    .description("set limits; others are unchanged (for operators)")
    .addOption(
      new Option("--weight <number>", "share of the slots relative to other waiting organizations").argParser(count),
    )
    .addOption(
      new Option("--retention-days <number>", "days until an unused session expires, or 'default' for never").argParser(
        countOrDefault,
      ),
    )
    .addOption(organizationOption());
  for (const [field, , about] of bounds) {
    const flags = `--${field.replaceAll("_", "-")} <number>`;
    set.addOption(new Option(flags, about).argParser(field === "max_turn_cpus" ? amountOrDefault : countOrDefault));
  }
  set.action(async (options: SetOptions, command: Command) => {
    const { output, client, signal } = createContext(io, command);
    const given: [field: string, value: unknown][] = [
      ["weight", options["weight"]],
      ["session_retention_days", options["retentionDays"]],
      ...bounds.map(([field]): [string, unknown] => [field, options[camelCase(field)]]),
    ];
    // Null in the API means the platform's default.
    const set = given.flatMap(([field, value]) =>
      value === undefined ? [] : [[field, value === "default" ? null : value]],
    );
    const body = Object.fromEntries(set) as UpdateOrganizationRequest;
    if (Object.keys(body).length === 0)
      throw invalid("give at least one limit: --weight, --max-concurrency, --max-backlog …");
    const record = await (await client()).updateOrganization(options.org, body, { signal });
    output.result(record, () => renderLimits(record));
  });
  addAuditLogCommand(org, io);
}

/** Returns the name that commander gives an option's value. */
function camelCase(field: string): string {
  return field.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

/** Parses a whole number from 1 on. @throws InvalidArgumentError */
export function count(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) {
    throw new InvalidArgumentError("expected a whole number from 1 to 999,999,999,999,999");
  }
  return Number(text);
}

function countOrDefault(text: string): number | "default" {
  return text === "default" ? text : count(text);
}

/** Parses a number with at most two decimal places. @throws InvalidArgumentError */
function amountOrDefault(text: string): number | "default" {
  if (text === "default") return text;
  if (!/^\d{1,4}(\.\d{1,2})?$/.test(text)) throw new InvalidArgumentError("expected a number, such as 0.5 or 2");
  return Number(text);
}

function renderLimits(record: OrganizationRecord): string {
  const rows: (readonly [label: string, value: string | number])[] = [
    ["organization", `${record.id} (${record.name})${record.is_operator ? ", operator" : ""}`],
    ["weight", record.weight],
    ...bounds.map(([field, label]) => [label, record[field] ?? "default"] as const),
    ["retention", record.session_retention_days === null ? "none" : `${record.session_retention_days} days`],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, value]) => `${label.padEnd(width)}${value}`).join("\n");
}

function addAuditLogCommand(org: Command, io: Io): void {
  org
    .command("audit-log")
    .description("show changes and who made each, newest first")
    .addOption(organizationOption())
    .addOption(limitOption())
    .action((options: OrganizationOption & { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listAuditLog(options.org, page, call),
        limit: options.limit,
        headings: ["AT", "ACTION", "TARGET", "BY"],
        cells: (entry) => {
          const by = entry.actor_key_id ?? entry.actor_member_id ?? "(installation)";
          return [entry.created_at, entry.action, entry.target, by];
        },
      }),
    );
}

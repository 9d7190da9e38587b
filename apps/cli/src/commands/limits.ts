// `dari org limits …` and `dari org audit-log`: what an organization may have, and who changed what.

import { eachRow } from "@dari/client";
import type { OrganizationRecord } from "@dari/contract";
import { type Command, InvalidArgumentError, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { limitOption, organizationOption, take, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";

interface SetOptions extends OrganizationOption {
  readonly weight?: number;
  readonly maxConcurrency?: number | "default";
  readonly maxBacklog?: number | "default";
  readonly maxWorkspaceBytes?: number | "default";
  readonly maxWorkspaceFiles?: number | "default";
  readonly maxWorkspaceFileBytes?: number | "default";
  readonly retentionDays?: number | "default";
}

export function addLimitCommands(org: Command, io: Io): void {
  const limits = org.command("limits").description("what an organization may have of the fleet");
  limits
    .command("get")
    .description("show the limits")
    .addOption(organizationOption())
    .action(async (options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getOrganization(options.org, { signal });
      output.result(record, () => renderLimits(record));
    });
  limits
    .command("set")
    .description("set limits; those that are left out stay (for operators)")
    .addOption(new Option("--weight <number>", "share beside other organizations that wait").argParser(count))
    .addOption(new Option("--max-concurrency <number>", "turns at once, or 'default'").argParser(countOrDefault))
    .addOption(
      new Option("--max-backlog <number>", "messages that wait or run, or 'default'").argParser(countOrDefault),
    )
    .addOption(new Option("--max-workspace-bytes <number>", "of a workspace, or 'default'").argParser(countOrDefault))
    .addOption(
      new Option("--max-workspace-files <number>", "files of a workspace, or 'default'").argParser(countOrDefault),
    )
    .addOption(new Option("--max-workspace-file-bytes <number>", "of one file, or 'default'").argParser(countOrDefault))
    .addOption(
      new Option("--retention-days <number>", "until an unused session expires, or 'default': never").argParser(
        countOrDefault,
      ),
    )
    .addOption(organizationOption())
    .action(async (options: SetOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const body = {
        ...(options.weight === undefined ? {} : { weight: options.weight }),
        ...bound("max_concurrency", options.maxConcurrency),
        ...bound("max_backlog", options.maxBacklog),
        ...bound("max_workspace_bytes", options.maxWorkspaceBytes),
        ...bound("max_workspace_files", options.maxWorkspaceFiles),
        ...bound("max_workspace_file_bytes", options.maxWorkspaceFileBytes),
        ...bound("session_retention_days", options.retentionDays),
      };
      if (Object.keys(body).length === 0)
        throw invalid("say what to set: --weight, --max-concurrency, --max-backlog …");
      const record = await (await client()).updateOrganization(options.org, body, { signal });
      output.result(record, () => renderLimits(record));
    });
  addAuditLogCommand(org, io);
}

function count(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new InvalidArgumentError("expected a positive number");
  return Number(text);
}

function countOrDefault(text: string): number | "default" {
  return text === "default" ? text : count(text);
}

/** Null on the wire: the platform's default. */
function bound<Name extends string>(name: Name, given: number | "default" | undefined) {
  const value = given === "default" ? null : given;
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<Name, number | null>>;
}

function renderLimits(record: OrganizationRecord): string {
  const shown = (given: number | null): string => (given === null ? "default" : String(given));
  return [
    `organization     ${record.id} (${record.name})${record.is_operator ? ", operator" : ""}`,
    `weight           ${record.weight}`,
    `max concurrency  ${shown(record.max_concurrency)}`,
    `max backlog      ${shown(record.max_backlog)}`,
    `workspace bytes  ${shown(record.max_workspace_bytes)}`,
    `workspace files  ${shown(record.max_workspace_files)}`,
    `file bytes       ${shown(record.max_workspace_file_bytes)}`,
    `retention        ${record.session_retention_days === null ? "none" : `${record.session_retention_days} days`}`,
  ].join("\n");
}

function addAuditLogCommand(org: Command, io: Io): void {
  org
    .command("audit-log")
    .description("show what was changed and by which key, newest first")
    .addOption(organizationOption())
    .addOption(limitOption())
    .action(async (options: OrganizationOption & { readonly limit: number }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const entries = await take(
        eachRow((page) => api.listAuditLog(options.org, page, { signal })),
        options.limit,
      );
      output.result(entries, () => {
        const rows = entries.map((entry) => {
          return [entry.created_at, entry.action, entry.target, entry.actor_key_id ?? "(set-up)"];
        });
        return table(["AT", "ACTION", "TARGET", "KEY"], rows);
      });
    });
}

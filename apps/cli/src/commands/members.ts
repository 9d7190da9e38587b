// `dari org create|members|invite|delete`: organizations themselves, and the people in them.

import { eachRow } from "@dari/client";
import { roles, type Role } from "@dari/contract";
import { Option, type Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { organizationOption, take, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";

export function addMemberCommands(org: Command, io: Io): void {
  org
    .command("create <name>")
    .description("create an organization; its admin key is shown once (for operators)")
    .option("--slug <slug>", "its short name; made from the name when absent")
    .action(async (name: string, options: { readonly slug?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).createOrganization({ name, ...options }, { signal });
      output.progress(`Created ${record.id}; this is the only time its key is shown.`);
      output.result(record, () => record.api_key ?? "");
    });
  org
    .command("members")
    .description("list members")
    .addOption(organizationOption())
    .action(async (options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const load = eachRow((page) => api.listMembers(options.org, page, { signal }));
      const records = await take(load, Infinity);
      output.result(records, () => {
        const rows = records.map((row) => [row.email, row.role, row.created_at]);
        return table(["E-MAIL", "ROLE", "SINCE"], rows);
      });
    });
  org
    .command("invite <email>")
    .description("invite a person")
    .addOption(new Option("--role <role>", "what the person may be").choices(roles).default("member"))
    .addOption(organizationOption())
    .action(async (email: string, options: OrganizationOption & { readonly role: Role }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const invitation = { email, role: options.role };
      const record = await (await client()).createInvitation(invitation, options.org, { signal });
      output.result(record, () => `invited ${record.email} as ${record.role}`);
    });
  org
    .command("delete <id>")
    .description("delete an organization with all that it owns (for operators)")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteOrganization(id, { signal });
      output.result(deleted, () => `deleted ${id}`);
    });
}

// `dari org …`: organizations, their members, invitations and sign-in links.

import { eachRow, type Client } from "@dari/client";
import type { MemberRecord } from "@dari/contract";
import { roles, type Role } from "@dari/contract/vocabulary";
import { Argument, Option, type Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { invalid } from "../exit.ts";
import { organizationOption, collectRows, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";

export function addMemberCommands(org: Command, io: Io): void {
  org
    .command("create <name>")
    .description("create an organization; its admin key is shown once (for operators)")
    .option("--slug <slug>", "short name (default: derived from the name)")
    .action(async (name: string, options: { readonly slug?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).createOrganization({ name, ...options }, { signal });
      output.progress(`Created ${record.id}; this is the only time its key is shown.`);
      output.result(record, () => record.api_key ?? "");
    });
  org
    .command("delete <id>")
    .description("delete an organization with everything it owns (for operators)")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteOrganization(id, { signal });
      output.result(deleted, () => `deleted ${id}`);
    });
  addPeopleCommands(org, io);
  addInvitationCommands(org, io);
}

function addPeopleCommands(org: Command, io: Io): void {
  org
    .command("members")
    .description("list members")
    .addOption(organizationOption())
    .action(async (options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const records = await listAll(await client(), options.org, signal);
      output.result(records, () => {
        const rows = records.map((row) => [row.id, row.email, row.role, row.created_at, row.last_signed_in_at ?? ""]);
        return table(["MEMBER", "E-MAIL", "ROLE", "SINCE", "SIGNED IN"], rows);
      });
    });
  org
    .command("set-role <member>")
    .description("change a member's role; name the member by e-mail or id")
    .addArgument(new Argument("<role>", "the new role").choices(roles))
    .addOption(organizationOption())
    .action(async (who: string, role: Role, options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const { id } = await findMember(api, who, options.org, signal);
      const record = await api.updateMember(id, { role }, options.org, { signal });
      output.result(record, () => `${record.email} is ${record.role}`);
    });
  org
    .command("remove <member>")
    .description("remove a member by e-mail or id; ends this person's sign-ins and device keys")
    .addOption(organizationOption())
    .action(async (who: string, options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const { id, email } = await findMember(api, who, options.org, signal);
      const deleted = await api.removeMember(id, options.org, { signal });
      output.result(deleted, () => `removed ${email}`);
    });
  org
    .command("sign-in-link <member>")
    .description("create a link that signs a member in once; name the member by e-mail or id")
    .addOption(organizationOption())
    .action(async (who: string, options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const { id, email } = await findMember(api, who, options.org, signal);
      const link = await api.createSignInLink(id, options.org, { signal });
      output.progress(`Anyone who has this link can sign in as ${email}, once, until ${link.expires_at}:`);
      output.result(link, () => link.url);
    });
}

function addInvitationCommands(org: Command, io: Io): void {
  org
    .command("invite <email>")
    .description("invite a person; prints the link to send")
    .addOption(new Option("--role <role>", "role of the person").choices(roles).default("member"))
    .addOption(organizationOption())
    .action(async (email: string, options: OrganizationOption & { readonly role: Role }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const invitation = { email, role: options.role };
      const record = await (await client()).createInvitation(invitation, options.org, { signal });
      output.progress(
        `Invited ${record.email} as ${record.role}. The link can be used once, until ${record.expires_at}:`,
      );
      output.result(record, () => record.url ?? "");
    });
  org
    .command("invitations")
    .description("list open invitations")
    .addOption(organizationOption())
    .action((options: OrganizationOption, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listInvitations(options.org, page, call),
        headings: ["INVITATION", "E-MAIL", "ROLE", "EXPIRES"],
        cells: (row) => [row.id, row.email, row.role, row.expires_at],
      }),
    );
  org
    .command("revoke-invitation <id>")
    .description("revoke an invitation; its link stops working")
    .addOption(organizationOption())
    .action(async (id: string, options: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteInvitation(id, options.org, { signal });
      output.result(deleted, () => `revoked ${id}`);
    });
}

async function listAll(api: Client, organizationId: string, signal: AbortSignal): Promise<MemberRecord[]> {
  return collectRows(
    eachRow((page) => api.listMembers(organizationId, page, { signal })),
    Infinity,
  );
}

/** @throws CliError (exit code 2) if no member has this address or id. */
async function findMember(
  api: Client,
  who: string,
  organizationId: string,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly email: string }> {
  const records = await listAll(api, organizationId, signal);
  const found = records.find(({ id, email }) => id === who || email === who.toLowerCase());
  if (found === undefined) throw invalid(`there is no member ${who}; \`dari org members\` lists the members`);
  return found;
}

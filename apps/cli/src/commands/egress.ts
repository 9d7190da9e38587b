// `dari egress …`: what the organization's agents may connect to.

import { egressModes } from "@dari/domain";
import type { EgressRecord, PutEgressRequest } from "@dari/contract";
import { Argument, type Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { organizationOption, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";

export function addEgressCommands(program: Command, io: Io): void {
  const egress = program.command("egress").description("what agents may connect to");
  egress
    .command("show")
    .description("show what the organization and the platform's operators have set; both must allow a destination")
    .addOption(organizationOption())
    .action(async ({ org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getEgress(org, { signal });
      output.result(record, () => shown(record));
    });
  egress
    .command("set")
    .description("set it, from the next turns on; an agent's dari.yml may narrow it further")
    .addArgument(new Argument("<mode>", "nothing, the hosts, or every public address").choices(egressModes))
    .argument("[hosts...]", "of allow: api.example.com, '*.example.com', example.com:8443")
    .addOption(organizationOption())
    .action(async (mode: PutEgressRequest["mode"], hosts: string[], { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).putEgress({ mode, hosts }, org, { signal });
      output.result(record, () => shown(record));
    });
  egress
    .command("reset")
    .description("take back what was set")
    .addOption(organizationOption())
    .action(async ({ org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).deleteEgress(org, { signal });
      output.result(record, () => shown(record));
    });
}

function shown({ organization, operator }: EgressRecord): string {
  const row = (who: string, setting: EgressRecord["operator"]): string[] => {
    return [who, setting?.mode ?? "not set", setting?.hosts.join(", ") ?? ""];
  };
  return table(["SET BY", "MODE", "HOSTS"], [row("organization", organization), row("operators", operator)]);
}

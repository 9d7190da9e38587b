// `dari egress …`: the network rules of the organization's agents.

import { egressModes } from "@dari/domain";
import type { EgressRecord, PutEgressRequest } from "@dari/contract";
import { Argument, type Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { organizationOption, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";

export function addEgressCommands(program: Command, io: Io): void {
  const egress = program.command("egress").description("set which hosts agents can connect to");
  egress
    .command("show")
    .description("show the rules of the organization and of the operators; a host must be allowed by both")
    .addOption(organizationOption())
    .action(async ({ org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getEgress(org, { signal });
      output.result(record, () => renderEgress(record));
    });
  egress
    .command("set")
    .description("change the setting; applies from the next turn; dari.yml can narrow it further")
    .addArgument(
      new Argument(
        "<mode>",
        "what agents can reach: off (nothing), allow (only the hosts), open (every public address)",
      ).choices(egressModes),
    )
    .argument("[hosts...]", "for allow: api.example.com, '*.example.com', example.com:8443")
    .addOption(organizationOption())
    .action(async (mode: PutEgressRequest["mode"], hosts: string[], { org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).putEgress({ mode, hosts }, org, { signal });
      output.result(record, () => renderEgress(record));
    });
  egress
    .command("reset")
    .description(
      "remove the organization's setting, or with an operator's key the operators'; all other rules still apply",
    )
    .addOption(organizationOption())
    .action(async ({ org }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).deleteEgress(org, { signal });
      output.result(record, () => renderEgress(record));
    });
}

function renderEgress({ organization, operator }: EgressRecord): string {
  const row = (who: string, setting: EgressRecord["operator"]): string[] => {
    return [who, setting?.mode ?? "not set", setting?.hosts.join(", ") ?? ""];
  };
  return table(["SET BY", "MODE", "HOSTS"], [row("organization", organization), row("operators", operator)]);
}

// `dari org budgets …`, `dari operator stop|resume`: limits on what turns use, and the stop of new turns.

import type { BudgetRecord, PutBudgetRequest } from "@dari/contract";
import { budgetPeriods } from "@dari/contract/vocabulary";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { agentOption, given, organizationOption, type OrganizationOption } from "../options.ts";
import { table } from "../output.ts";
import { count } from "./limits.ts";

interface SetOptions extends OrganizationOption {
  readonly period: PutBudgetRequest["period"];
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly maxTurns?: number;
  readonly maxTurnSeconds?: number;
  readonly maxTokens?: number;
}

export function addBudgetCommands(org: Command, io: Io): void {
  const budgets = org.command("budgets").description("manage budgets; messages wait when a budget is used up");
  budgets
    .command("list")
    .description("list budgets and their use")
    .addOption(organizationOption())
    .action(({ org: organization }: OrganizationOption, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listBudgets(organization, page, call),
        headings: heads,
        cells: rowOf,
      }),
    );
  budgets
    .command("set")
    .description("set a budget of the organization, or of one agent or session")
    .addOption(new Option("--period <period>", "period of the budget").choices(budgetPeriods).default("month"))
    .addOption(agentOption("limit this agent (default: the whole organization)"))
    .option("--session-id <id>", "limit this session")
    .addOption(
      new Option("--max-turns <number>", "maximum attempts that call the agent (default: no limit)").argParser(count),
    )
    .addOption(
      new Option("--max-turn-seconds <number>", "maximum seconds that turns hold a slot (default: no limit)").argParser(
        count,
      ),
    )
    .addOption(
      new Option("--max-tokens <number>", "maximum tokens, as reported by the SDKs (default: no limit)").argParser(
        count,
      ),
    )
    .addOption(organizationOption())
    .action(async (options: SetOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const body = {
        period: options.period,
        ...given({
          agent_id: options.agentId,
          session_id: options.sessionId,
          max_turns: options.maxTurns,
          max_turn_seconds: options.maxTurnSeconds,
          max_tokens: options.maxTokens,
        }),
      };
      const record = await (await client()).putBudget(body, options.org, { signal });
      output.result(record, () => table(heads, [rowOf(record)]));
    });
  budgets
    .command("delete <id>")
    .description("delete a budget; messages that waited for it continue")
    .addOption(organizationOption())
    .action(async (id: string, { org: organization }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      output.result(await (await client()).deleteBudget(id, organization, { signal }), () => `deleted ${id}`);
    });
}

export function addStopCommands(operator: Command, io: Io): void {
  operator
    .command("stop <reason>")
    .description("start no new turns of any organization until `dari operator resume`; running turns finish")
    .action(async (reason: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      output.result(
        await (await client()).stopPlatform({ reason }, { signal }),
        () => "no new turns start; running turns finish",
      );
    });
  operator
    .command("resume")
    .description("end `dari operator stop`; new turns start again")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      output.result(await (await client()).resumePlatform({ signal }), () => "new turns start again");
    });
}

const heads = ["BUDGET", "TARGET", "PERIOD", "TURNS", "SECONDS", "TOKENS", ""];

function rowOf(record: BudgetRecord): string[] {
  const use = (used: number, max: number | null): string => `${used}${max === null ? "" : `/${max}`}`;
  return [
    record.id,
    record.target_id,
    record.period,
    use(record.turns, record.max_turns),
    use(Math.round(record.turn_seconds), record.max_turn_seconds),
    use(record.tokens, record.max_tokens),
    record.is_exhausted ? "exhausted" : "",
  ];
}

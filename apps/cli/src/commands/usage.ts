// `dari org usage`, `dari operator fleet`: usage, and what waits and runs.

import type { FleetRecord, UsageRecord } from "@dari/contract";
import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { organizationOption, type OrganizationOption } from "../options.ts";
import { formatDollars, table } from "../output.ts";
import { count } from "./limits.ts";

interface UsageOptions extends OrganizationOption {
  readonly days: number;
}

export function addUsageCommand(org: Command, io: Io): void {
  org
    .command("usage")
    .description("show usage by day (UTC) and by agent")
    .addOption(new Option("--days <number>", "number of days, today included").argParser(count).default(7))
    .addOption(organizationOption())
    .action(async ({ days, org: organization }: UsageOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const usage = await (await client()).getUsage(organization, { days }, { signal });
      output.result(usage, () => renderUsage(usage));
    });
}

function renderUsage({ days, agents }: UsageRecord): string {
  const heads = ["MESSAGES", "FAILED", "TURNS", "SECONDS", "TOKENS", "METERED", "REQUESTS", "UNPRICED", "COST"];
  const cells = (row: UsageRecord["days"][number] | UsageRecord["agents"][number]): string[] => [
    ...[row.messages, row.failed, row.turns, Math.round(row.turn_seconds), row.tokens].map(String),
    ...[row.metered_tokens, row.metered_requests, row.unpriced_requests].map(String),
    row.metered_cost_microusd === null ? "" : formatDollars(row.metered_cost_microusd),
  ];
  const byDay = table(
    ["DAY", ...heads],
    days.map((day) => [day.date, ...cells(day)]),
  );
  const byAgent = table(
    ["AGENT", ...heads],
    agents.map((agent) => [agent.name, ...cells(agent)]),
  );
  return `${byDay}\n\n${byAgent}\n\n${legend}`;
}

const legend =
  "TOKENS: as SDKs report them. METERED: tokens of the REQUESTS to models that the platform counted. UNPRICED: " +
  "requests without a COST.";

export function addFleetCommand(operator: Command, io: Io): void {
  operator
    .command("fleet")
    .description("show waiting organizations, running turns and workers")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const fleet = await (await client()).getFleet({ signal });
      output.result(fleet, () => renderFleet(fleet));
    });
}

const queueHeadings = ["ORGANIZATION", "WAITING", "OLDEST", "RUNNING", "NAME"];

function renderFleet({ organizations, turns, workers }: FleetRecord): string {
  const seconds = (ms: number | null): string => (ms === null ? "" : `${(ms / 1_000).toFixed(1)} s`);
  const queue = organizations.map((row) => {
    return [row.organization_id, String(row.ready), seconds(row.oldest_ready_ms), String(row.in_flight), row.name];
  });
  const running = turns.map((row) => {
    return [row.message_id ?? "", row.state, seconds(row.running_ms), seconds(row.lease_left_ms), row.worker_id ?? ""];
  });
  const offered = workers.map((row) => {
    return [row.id, row.pool, `${row.in_use}/${row.slots}`, seconds(row.seen_ms_ago), row.draining ? "draining" : ""];
  });
  return [
    queue.length === 0 ? "No organization has waiting or running sessions." : table(queueHeadings, queue),
    running.length === 0
      ? "No turns are running."
      : table(["MESSAGE", "STATE", "FOR", "LEASE LEFT", "WORKER"], running),
    offered.length === 0 ? "No workers are registered." : table(["WORKER", "POOL", "SLOTS", "SEEN AGO", ""], offered),
  ].join("\n\n");
}

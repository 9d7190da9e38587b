// The pages of docs/ that are generated from the code, each with its source.

import { apiSettings } from "@dari/api";
import { serviceSettings } from "@dari/control/assembly";
import { buildOpenApi, manifestJsonSchema, renderErrorsMarkdown } from "@dari/contract";
import { failureCodes, renderStatesMarkdown } from "@dari/domain";
import { reconcilerSettings } from "@dari/reconciler";
import { describeConfig, type ConfigSpec } from "@dari/runtime";
import { eventsPage } from "./events-page.ts";
import { formatJson } from "./format-json.ts";
import { metricsPage } from "./metrics-page.ts";
import { standaloneSettings } from "@dari/standalone";
import { workerSettings } from "@dari/worker";

/** Returns each file below docs/ with its text. */
export function renderPages(): Record<string, string> {
  return {
    "states.md": renderStatesMarkdown(),
    "errors.md": `${renderErrorsMarkdown().trimEnd()}\n\n${failuresSection()}`,
    "config.md": configPage(),
    "events.md": eventsPage(),
    "metrics.md": metricsPage(),
    "openapi.json": `${formatJson(buildOpenApi({ version: "1", serverUrl: "http://127.0.0.1:4870" }))}\n`,
    "dari.schema.json": `${JSON.stringify(manifestJsonSchema, null, 2)}\n`,
  };
}

function failuresSection(): string {
  const rows = Object.entries(failureCodes).map(
    ([code, { retryable, says }]) => `| \`${code}\` | ${says} | ${retryable ? "yes" : "no"} |`,
  );
  return [
    "## Why a message failed",
    "",
    "`output.error.code` is one of these. *yes*: the turn is tried again while `retries.max_attempts` (default 1)",
    "allows it. If a worker is lost before it called the agent, the attempt does not count. The first one that is lost",
    "later adds an attempt, unless `retries.on_worker_lost` is false ([retries](retries.md)).",
    "",
    "What the agent did at other services before it failed stays done. All attempts of a message have the same",
    "[operation key](glossary.md#agents-and-sessions), so a service can recognize a repeated attempt. A message that",
    "you send again, also with `dari message retry`, has another one: check first what the agent has done.",
    "",
    "| code | means | retried |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "## Budgets",
    "",
    "A [budget](limits.md#budgets) of an organization that is used up fails no call and no message: messages are",
    "accepted and [wait](concepts.md#why-a-message-waits). `budget_exceeded` is about the [limits of a",
    "message](message-limits.md). `limit_exceeded` and `quota_exceeded` come from [limits](limits.md).",
    "",
    "| what | reply | what to do |",
    "| --- | --- | --- |",
    ...budgetReplies.map((cells) => `| ${cells.join(" | ")} |`),
    "",
  ].join("\n");
}

const budgetReplies = [
  [
    "a message while a budget is used up",
    "the message with `waiting_reason: budget`; a sync send waits with it",
    "Find the budget with `dari org budgets list`. Set it again with a higher number (`dari org budgets set`, the " +
      "same period, agent and session), delete it, or wait for its next period. Its messages continue by themselves. " +
      "This needs the scope `admin`; only operators change budgets that operators set.",
  ],
  [
    "a delete of a budget that an operator set",
    "403 `forbidden`: `operators set this budget`",
    "Ask an operator to raise or delete it.",
  ],
  ["a budget above 1,000 of the organization", "409 `conflict`", "Delete one that you no longer need."],
];

/** Returns a setting's default; one in bytes also in the largest unit that divides it: `5368709120 (5 GiB)`. */
function withUnits({ env, fallback }: { readonly env: string; readonly fallback: string }): string {
  const bytes = Number(fallback);
  if (!env.includes("_BYTES") || !(bytes >= 1024)) return fallback;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = units.findLastIndex((_unit, index) => bytes % 1024 ** (index + 1) === 0);
  return power < 0 ? fallback : `${fallback} (${bytes / 1024 ** (power + 1)} ${units[power]})`;
}

function configPage(): string {
  const shared = new Set(describeConfig(serviceSettings).map(({ env }) => env));
  const own = (spec: ConfigSpec) => describeConfig(spec).filter(({ env }) => !shared.has(env));
  const sections: [string, ReturnType<typeof describeConfig>][] = [
    ["Standalone: `npm start`, `npm run quickstart`", describeConfig(standaloneSettings)],
    ["API, worker and reconciler", describeConfig(serviceSettings)],
    ["API only", own(apiSettings)],
    ["Worker only", own(workerSettings)],
    ["Reconciler only", own(reconcilerSettings)],
  ];
  return [
    "# Settings",
    "",
    "Generated from each program's `config.ts`. Settings are environment variables. A program reads them once, when it",
    "starts, and reports all problems. A `DARI_` variable whose name is almost that of a setting is a problem;",
    "other unknown variables are ignored.",
    ...sections.flatMap(([title, rows]) => [
      "",
      `## ${title}`,
      "",
      "| variable | kind | default | meaning |",
      "| --- | --- | --- | --- |",
      ...rows.map((row) => `| \`${row.env}\` | ${row.kind} | ${withUnits(row)} | ${row.about} |`),
    ]),
    "",
    ...driversSection,
    "",
  ].join("\n");
}

const driversSection = [
  "## Drivers and control groups",
  "",
  "`dari doctor` says which driver a worker uses, and what a machine lacks. [Drivers](security-drivers.md) says how",
  "they differ.",
  "",
  "| `DARI_SANDBOX` | needs | then |",
  "| --- | --- | --- |",
  "| `bwrap` | Linux, bubblewrap, and the right to make user namespaces | all features |",
  "| `oci` | Linux, `crun` or `runc`, and the right to make namespaces | no agent is forked or kept between turns |",
  "| `landlock` | Linux 6.7 with Landlock, and root with the capabilities that container engines give by default. It " +
    "is for containers that forbid namespaces | at most 64 sandboxes on a machine; agents see other paths and have " +
    "only TCP; no agent is loaded ahead, and workspaces are copied |",
  "| `process` | nothing | agents can read and change whatever the worker can |",
  "",
  "If none of the first three works, a worker starts only with `DARI_MINIMUM_ISOLATION=none`.",
  "",
  "**Control groups** let the kernel limit all processes of a turn together. The worker needs a group in which it can",
  "make others, with the controllers `memory` and `pids`, and `cpu` for processors: `Delegate=yes` with systemd,",
  "`infra/compose.control-groups.yml` with Docker, `worker.controlGroups.enabled` in the Helm chart",
  "([more](security-isolation.md#limits)). Without them:",
  "",
  "- The worker reads /proc five times a second and ends turns that exceed a limit. They can exceed it for that long.",
  "- `DARI_TURN_CPUS`, `DARI_TURN_CPUS_MAX` and `runtime.cpus` have no effect.",
  "- The worker sets memory aside for each turn (`DARI_TURN_RESERVED_MB`), and runs 4 turns by default.",
  "- With several organizations, the worker does not start, unless `DARI_MINIMUM_ISOLATION` is `watched` or `none`.",
];

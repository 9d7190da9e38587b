// The pages of docs/ that are generated from the code, each with its source.

import { apiSettings } from "@dari/api";
import { serviceSettings } from "@dari/control/assembly";
import { buildOpenApi, manifestJsonSchema, renderErrorsMarkdown } from "@dari/contract";
import { failureCodes, renderStatesMarkdown } from "@dari/domain";
import { reconcilerSettings } from "@dari/reconciler";
import { describeConfig, type ConfigSpec } from "@dari/runtime";
import { eventsPage } from "./events-page.ts";
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
    "openapi.json": `${JSON.stringify(buildOpenApi({ version: "1", serverUrl: "http://127.0.0.1:4870" }), null, 2)}\n`,
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
    "later adds an attempt, unless `retries.on_worker_lost` is false ([attempts](concepts.md#attempts-and-failures)).",
    "",
    "| code | means | retried |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

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
  ].join("\n");
}

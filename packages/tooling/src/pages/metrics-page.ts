// docs/metrics.md: every metric with its labels, by the program that has it.

import { metricsByPart } from "@dari/control/operations";
import type { MetricCatalogue, MetricSpec } from "@dari/runtime";

const titles: Readonly<Record<keyof typeof metricsByPart, string>> = {
  common: "Every program",
  api: "API",
  worker: "Worker",
  reconciler: "Reconciler",
  organization: "By organization: only with `DARI_METRICS_BY_ORGANIZATION=true`",
};

const introduction = `# Metrics

Generated from the catalogue. Every program serves them for Prometheus at \`/metrics\` of \`DARI_HEALTH_PORT\`, without
a key, and the API also at its own address to operators' keys. Standalone has those of all programs.

One log line is one event. The call that writes the line counts it, even if the log level hides the line. Counters
start at zero with their process. A process that is killed between a commit and its log line does not count that event.
Waiting turns are read from PostgreSQL, so every reconciler reports the same number.

No label names a session, a message or a path that a stranger chose, and none an organization unless that is switched
on: then the first 200 organizations of a process have a name, and all others are \`other\`. Every metric has at most
2,000 sets of label values; past that, values are \`other\`. Beside these are the usual \`process_\` and \`nodejs_\`
metrics.`;

export function metricsPage(): string {
  const parts = Object.entries<MetricCatalogue>(metricsByPart).map(([part, catalogue]) => [
    `## ${titles[part as keyof typeof titles]}`,
    "",
    "| metric | kind | labels | |",
    "| --- | --- | --- | --- |",
    ...Object.entries(catalogue).map(([name, spec]) => row(name, spec)),
    "",
  ]);
  return [introduction, "", ...parts.flat()].join("\n");
}

function row(name: string, { kind, about, labels = {} }: MetricSpec): string {
  const shown = Object.entries(labels).map(([label, values]) =>
    typeof values === "string" ? `\`${label}\`: ${values}` : `\`${label}\`: ${values.join(", ")}`,
  );
  return `| \`${name}\` | ${kind} | ${shown.join("<br>")} | ${about} |`;
}

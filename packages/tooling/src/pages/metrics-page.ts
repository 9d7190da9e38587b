// docs/metrics.md: every metric with its labels, by program.

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

Generated from the catalogue. Every program serves its metrics for Prometheus at \`/metrics\` of \`DARI_HEALTH_PORT\`,
without a key. The API also serves them at its own address, to operators' keys. The standalone platform has the metrics
of all programs.

One log line is one event. The call that writes the line counts it, even if the log level hides the line. Counters
start at zero with their process. A process that is killed between a commit and its log line does not count that event.
Waiting turns are read from PostgreSQL, so every reconciler reports the same number.

No label contains a session, a message or text that a caller chose. Labels contain organizations only if you turn that
on; then the first 200 organizations of a process have their id, and all others are \`other\`. Each metric has at most
2,000 combinations of label values; beyond that, values are \`other\`. The usual \`process_\` and \`nodejs_\` metrics
are included from the first scrape.`;

export function metricsPage(): string {
  const parts = Object.entries<MetricCatalogue>(metricsByPart).map(([part, catalogue]) => [
    `## ${titles[part as keyof typeof titles]}`,
    "",
    "| metric | kind | labels | meaning |",
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

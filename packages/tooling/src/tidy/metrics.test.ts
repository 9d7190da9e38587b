// Boards and alerts name existing metrics; metrics are counted from log lines that are written.

import { describe, expect, test } from "@jest/globals";
import { createPlatformMetrics, eventMetrics, platformMetrics } from "@dari/control/operations";
import type { MetricSpec } from "@dari/runtime";
import { isTest, sourceFiles, textFiles } from "./files.ts";

const textOf = (path: string): string => textFiles.find((file) => file.path === path)?.text ?? "";
const alerts = textOf("infra/prometheus/alerts.yml");
const board = JSON.parse(textOf("infra/grafana/dari.json")) as { panels: { targets: { expr: string }[] }[] };
const boardQueries = board.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
const alertQueries = [...alerts.matchAll(/expr: (?:>-\n)?([\s\S]*?)\n {8}(?:for|labels):/g)].map(
  (match) => match[1] ?? "",
);

/** The names of series in Prometheus: a histogram has three. */
async function knownSeries(): Promise<Set<string>> {
  const metrics = createPlatformMetrics({ parts: ["api", "worker", "reconciler"], byOrganization: true });
  // The metrics of the process that exist now. Some appear only after the first garbage collection.
  const ofProcess = [...(await metrics.read()).matchAll(/^# TYPE ((?:process|nodejs)_\w+) /gm)].map(
    (match) => match[1]!,
  );
  const ours = Object.entries<MetricSpec>(platformMetrics).flatMap(([name, { kind }]) =>
    kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return new Set([...ours, ...ofProcess]);
}

const namedIn = (query: string): string[] => query.match(/\b(?:dari|process|nodejs)_\w+/g) ?? [];

/** The labels in a query's braces and groups, with their metric if they follow one. */
function labelsOf(query: string): [metric: string, label: string][] {
  return [...query.matchAll(/(dari_\w+)\{([^}]*)\}/g)].flatMap(([, metric = "", selectors = ""]) =>
    [...selectors.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]): [string, string] => [metric, label]),
  );
}

describe.each([
  ["infra/prometheus/alerts.yml", alertQueries],
  ["infra/grafana/dari.json", boardQueries],
])("%s", (_file, queries) => {
  test("names metrics and labels that exist", async () => {
    expect(queries.length).toBeGreaterThan(10);
    const known = await knownSeries();
    expect(queries.filter((query) => namedIn(query).length === 0)).toEqual([]);
    expect(queries.flatMap(namedIn).filter((name) => !known.has(name))).toEqual([]);
    const specs: Readonly<Record<string, MetricSpec>> = platformMetrics;
    const wrong = queries.flatMap(labelsOf).filter(([metric, label]) => !(label in (specs[metric]?.labels ?? {})));
    expect(wrong).toEqual([]);
  });
});

test("every alert is explained to operators", () => {
  const names = [...alerts.matchAll(/alert: (\w+)/g)].map((match) => match[1] ?? "");
  expect(names.length).toBe(alertQueries.length);
  const page = textOf("docs/operations.md");
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  const runbook = [...textOf("docs/runbook.md").matchAll(/^## (Dari\w+)$/gm)].map((match) => match[1] ?? "");
  expect([...runbook].sort()).toEqual([...names].sort());
});

test("every metric of ours is on the board", () => {
  const shown = new Set(boardQueries.flatMap(namedIn).map((name) => name.replace(/_bucket$/, "")));
  expect(Object.keys(platformMetrics).filter((name) => !shown.has(name))).toEqual([]);
});

test("every event that is counted is written somewhere", () => {
  const written = sourceFiles
    .filter(({ path }) => !isTest(path) && !path.endsWith("metrics/event-metrics.ts"))
    .map(({ text }) => text)
    .join("\n");
  const events = Object.keys(eventMetrics);
  expect(events.length).toBeGreaterThan(10);
  expect(events.filter((event) => !written.includes(`"${event}"`))).toEqual([]);
});

test("no label has an unlimited number of values", () => {
  const endless = /session|message|attempt|path|key|user/;
  const labels = Object.entries<MetricSpec>(platformMetrics).flatMap(([name, spec]) =>
    Object.keys(spec.labels ?? {}).map((label) => ({ name, label })),
  );
  expect(labels.filter(({ label }) => endless.test(label))).toEqual([]);
  const byOrganization = labels.filter(({ label }) => label === "organization").map(({ name }) => name);
  expect(byOrganization.filter((name) => !name.startsWith("dari_organization_"))).toEqual([]);
});

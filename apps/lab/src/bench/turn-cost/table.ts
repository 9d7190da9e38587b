// Prints the results as tables that a person can read and compare. The JSON line has every figure.

import type { IdleRow } from "./idle.ts";
import { parts, type ByPart } from "./processes.ts";
import type { Results, Target } from "./targets.ts";

type Cell = string | number | undefined;

/** Returns the lines of a table with aligned columns. Numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [head, ...rows].map((row) => row.map((cell) => (cell === undefined ? "-" : String(cell))));
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)));
  const isNumeric = head.map((_, column) => rows.every((row) => typeof row[column] !== "string"));
  const line = (row: readonly string[]): string =>
    row.map((text, i) => (isNumeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))).join("  ");
  return `${texts.map((row) => line(row).trimEnd()).join("\n")}\n`;
}

/** Returns the tables of all parts that were measured, and the targets, separated by empty lines. */
export function tablesOf(results: Results, targets: readonly Target[]): string {
  const { cpu, latency, memory, idle, worker } = results;
  const shown: string[] = [];
  if (cpu !== undefined) {
    const head = ["agent", "sessions", "clients", "turns/s", "p50 ms", "p99 ms", "CPU ms/turn", ...parts];
    const rows = cpu.map((row) => [
      ...[row.agent, row.sessions, row.clients, row.turns_per_second, row.ms.p50, row.ms.p99, row.cpu_ms],
      ...cellsOf(row.cpu_ms_by_part),
    ]);
    shown.push(table(head, rows));
  }
  if (latency !== undefined) {
    const rows = latency.map(({ agent, start, ms, bare_ms, of_bare }) => [
      ...[agent, start, ms.p50, ms.p99, bare_ms.p50, of_bare],
    ]);
    shown.push(table(["agent", "start", "p50 ms", "p99 ms", "bare p50 ms", "of bare"], rows));
    const steps = latency
      .filter(({ agent }) => agent === latency[0]?.agent)
      .map(({ start, steps_ms }) => {
        const said = Object.entries(steps_ms).map(([name, ms]) => `${name} ${ms}`);
        return `steps, ${start}: ${said.join(", ")}\n`;
      });
    shown.push(steps.join(""));
  }
  if (memory !== undefined) {
    const rows = memory.map((row) => [
      ...[row.agent, String(row.slots), row.waiting, row.stopped_by.slice(0, 40), row.available_mb, row.pss_mb],
      ...cellsOf(row.pss_mb_by_part),
    ]);
    const head = [
      "agent",
      "slots",
      "waiting",
      "stopped by",
      "MiB/turn, available",
      "MiB/turn, PSS",
      ...parts.map((part) => `${part} MiB`),
    ];
    shown.push(table(head, rows));
  }
  if (idle !== undefined) shown.push(tableOfIdle("idle", idle));
  if (worker !== undefined) shown.push(tableOfIdle("worker", worker));
  const goals = targets.map(({ says, value, limit, isAtLeast, isReached }) => [
    ...[says, value, `${isAtLeast ? "at least" : "at most"} ${limit}`],
    isReached ? "fails the run if missed" : "",
  ]);
  if (goals.length > 0) shown.push(table(["target", "value", "gate", ""], goals));
  return shown.join("\n");
}

const cellsOf = (of: Partial<ByPart>): Cell[] => parts.map((part) => of[part]);

function tableOfIdle(name: string, row: IdleRow): string {
  return table(
    [name, "all", ...parts],
    [
      ["CPU ms/s", row.cpu_ms, ...cellsOf(row.cpu_ms_by_part)],
      ["PSS MiB", row.pss_mb, ...cellsOf(row.pss_mb_by_part)],
      ["processes", undefined, ...cellsOf(row.processes)],
    ],
  );
}

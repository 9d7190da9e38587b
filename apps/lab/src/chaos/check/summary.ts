// Renders runs for people: one line for each, and one for all.

import { spread, type Spread } from "./recovery.ts";
import type { Report } from "./report.ts";

const promises = ["lost", "doubled", "out_of_order", "stuck", "wrong", "invariant_rows", "left_behind"] as const;

/** Returns the run in one line. Below it, every sentence for which it failed. */
export function summarize(report: Report): string {
  const strikes = Object.values(report.strikes);
  const struck = sum(strikes.map(([count]) => count));
  const seen = sum(strikes.map(([, count]) => count));
  const parts = [
    `${report.acknowledged} acknowledged`,
    promised([report]),
    `strikes ${seen}/${struck}`,
    takeover(report.takeover_ms),
    `gap ${inSeconds(report.longest_gap_ms)}`,
    `${report.seconds} s`,
  ];
  const name = `${report.name.padEnd(nameChars)} seed ${report.seed}`;
  const line = `${verdictOf(report)} ${name}  ${parts.filter(Boolean).join("; ")}`;
  const skipped = report.skipped.map((why) => `       not struck: ${why}`);
  return [line, ...skipped, ...report.broken.map((sentence) => `       ${sentence}`)].join("\n");
}

export interface Total {
  readonly ok: boolean;
  readonly runs: number;
  readonly failed_runs: readonly string[];
  readonly acknowledged: number;
  readonly seeds: readonly number[];
  readonly takeover_ms: Spread;
  readonly seconds: number;
}

export function totalOf(reports: readonly Report[], seconds: number): Total {
  const failed = reports.filter(({ ok }) => !ok);
  return {
    ok: failed.length === 0,
    runs: reports.length,
    failed_runs: failed.map(({ name, seed }) => `${name}, seed ${seed}`),
    acknowledged: sum(reports.map(({ acknowledged }) => acknowledged)),
    seeds: [...new Set(reports.map(({ seed }) => seed))].sort((a, b) => a - b),
    takeover_ms: spread(reports.flatMap(({ takeovers_ms }) => takeovers_ms)),
    seconds,
  };
}

export function summarizeAll(reports: readonly Report[], total: Total): string {
  const parts = [
    `${total.runs} runs, ${total.failed_runs.length} failed`,
    `${total.acknowledged} acknowledged over ${total.seeds.length} seeds`,
    promised(reports),
    takeover(total.takeover_ms),
    `${Math.round(total.seconds / 6) / 10} min`,
  ];
  return `${verdictOf(total)} ${"in all".padEnd(nameChars)} ${parts.filter(Boolean).join("; ")}`;
}

const nameChars = 36;

const verdictOf = ({ ok }: { ok: boolean }): string => (ok ? "passed" : "FAILED");

function promised(reports: readonly Report[]): string {
  return promises.map((name) => `${sum(reports.map((one) => one[name]))} ${name.replaceAll("_", " ")}`).join(", ");
}

function takeover({ count, p50, p95, max }: Spread): string {
  if (count === 0) return "";
  return `takeover p50 ${inSeconds(p50)}, p95 ${inSeconds(p95)}, max ${inSeconds(max)} (${count})`;
}

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);

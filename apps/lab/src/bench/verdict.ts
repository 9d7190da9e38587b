// The output of a benchmark: one line of JSON with machine, command, parameters, result and the verdict on its gates.

import { describeMachine } from "../machine.ts";

export interface Gate {
  readonly says: string;
  readonly value: number;
  readonly atMost: number;
  readonly passed: boolean;
}

export function gate(says: string, value: number, atMost: number): Gate {
  const rounded = Math.round(value * 1_000) / 1_000;
  return { says, value: rounded, atMost, passed: rounded <= atMost };
}

/** A smoke run shows that the benchmark works. Its figures are too few to judge, so they never make it fail. */
export function report(bench: {
  readonly name: string;
  /** Its path below apps/lab/src (default: bench/ and its name). */
  readonly program?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly result: unknown;
  readonly gates: readonly Gate[];
  readonly smoke: boolean;
}): void {
  const passed = bench.gates.every((one) => one.passed);
  const line = {
    name: bench.name,
    machine: describeMachine(),
    command: `npm run lab -- ${bench.program ?? `bench/${bench.name}`} ${process.argv.slice(2).join(" ")}`.trim(),
    parameters: bench.parameters,
    result: bench.result,
    gates: bench.gates,
    verdict: passed ? "pass" : bench.smoke ? "smoke" : "fail",
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (!passed && !bench.smoke) process.exitCode = 1;
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

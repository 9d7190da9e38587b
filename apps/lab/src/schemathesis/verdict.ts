// Reads Schemathesis' report: what a run did, and everything wrong with the API.

interface Found {
  readonly title: string;
  readonly count: number;
  readonly code?: string;
  readonly operations?: readonly string[];
}

interface Report {
  readonly stop_reason: string;
  readonly operations: { readonly total: number; readonly tested: number };
  readonly phases: Readonly<Record<string, { readonly status: string }>>;
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly Found[];
  readonly errors: readonly Found[];
}

export interface Judgement {
  /** Empty if the run passed. */
  readonly failures: readonly string[];
  readonly result: Readonly<Record<string, unknown>>;
}

/** Fewer calls prove nothing. */
const callsLeast = 100;

/**
 * `serverErrors`: lines of the platform's log. `isWhole`: the run had enough time for every operation and every phase,
 * even on a busy machine.
 */
export function judge(read: unknown, serverErrors: readonly string[], isWhole: boolean): Judgement {
  const report = read as Report;
  const { operations, phases, test_cases: cases, failures, errors } = report;
  const untested = operations.total - operations.tested;
  const idle = Object.entries(phases).filter(([, { status }]) => status === "skip");
  return {
    failures: [
      ...[...failures, ...errors].map(({ title, count, operations: where = [] }) => {
        return `${title}: ${count} (${where.join(", ")})`;
      }),
      ...serverErrors.map((line) => `the platform logged ${line}`),
      ...(cases.generated < callsLeast ? [`only ${cases.generated} calls were made`] : []),
      ...(isWhole && untested > 0 ? [`${untested} operations were not tested`] : []),
      ...(isWhole ? idle.map(([phase]) => `the phase ${phase} did not run`) : []),
    ],
    result: {
      operations: operations.tested,
      calls: cases.generated,
      failures: failures.reduce((sum, { count }) => sum + count, 0),
      errors: errors.reduce((sum, { count }) => sum + count, 0),
      server_errors: serverErrors.length,
    },
  };
}

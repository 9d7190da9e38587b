// Suites on real services. Separate from services.ts, because jest's functions exist only in test files.

import type { describe as Describe, test as Test } from "@jest/globals";
import { findService, installAdvice, type ServiceName, type Services } from "./services.ts";

/** Jest's own globals: importing them would make this package unusable for programs other than tests. */
interface JestGlobals {
  readonly describe: typeof Describe;
  readonly test: typeof Test;
}

/**
 * Declares a suite on a real service. If the machine lacks it, one skipped test says so and how to get it; a service
 * that DARI_TEST_REQUIRE names ends the run before any suite.
 */
export function describeWith<N extends ServiceName>(
  name: N,
  title: string,
  suite: (service: Services[N]) => void,
): void {
  const { describe, test } = globalThis as unknown as JestGlobals;
  const service = findService(name);
  if (service) describe(title, () => suite(service));
  else test.skip(`${title} (needs ${name}: ${installAdvice[name]})`, () => {});
}

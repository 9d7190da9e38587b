// Suites on real services. Apart from services.ts, because jest's functions exist inside test files only.

import type { describe as Describe, test as Test } from "@jest/globals";
import { findService, installAdvice, type ServiceName, type Services } from "./services.ts";

/** Jest's own globals: importing them would make this package unusable for programs that are no tests. */
interface JestGlobals {
  readonly describe: typeof Describe;
  readonly test: typeof Test;
}

/**
 * A suite on a real service. Where the machine lacks it, one skipped test says so and how to get it; a service that
 * DARI_TEST_REQUIRE names ends the run before any suite.
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

// Suites on real services. Apart from services.ts, because jest's functions exist inside test files only.

import { describe, test } from "@jest/globals";
import { findService, installAdvice, type ServiceName, type Services } from "./services.ts";

/**
 * A suite on a real service. Where the machine lacks it, one skipped test says so and how to get it; a service that
 * DARI_TEST_REQUIRE names ends the run before any suite.
 */
export function describeWith<N extends ServiceName>(
  name: N,
  title: string,
  suite: (service: Services[N]) => void,
): void {
  const service = findService(name);
  if (service) describe(title, () => suite(service));
  else test.skip(`${title} (needs ${name}: ${installAdvice[name]})`, () => {});
}

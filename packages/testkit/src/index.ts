// Help for tests against real things: services of the run, a database per test file, waiting for conditions.

export { createTestDatabase, type TestDatabase } from "./database.ts";
export { describeWith } from "./describe-with.ts";
export {
  createTestAgent,
  createTestFile,
  createTestKey,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  createTestSourceSnapshot,
  createTestVersion,
  finishTestBuild,
  testManifest,
  type TestOrganization,
  type TestVersionOptions,
} from "./factories.ts";
export { findService, installAdvice, requireService, type ServiceName, type Services } from "./services.ts";
export { waitUntil, type WaitOptions } from "./wait-until.ts";

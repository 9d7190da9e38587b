// Helpers for tests on real services: the services of the run, a database per test file, waiting for conditions.

export { createTestOrganizations, fillBacklog, type TestAgent } from "./backlog.ts";
export { startCrashServer, type CrashServer } from "./crash-server.ts";
export { createTestDatabase, type TestDatabase } from "./database.ts";
export { describeWith } from "./describe-with.ts";
export {
  createTestAgent,
  createTestBatch,
  createTestFile,
  createTestKey,
  createTestMessage,
  createTestOrganization,
  createTestSchedule,
  createTestSession,
  createTestSourceSnapshot,
  createTestTrigger,
  createTestVersion,
  createTestWebhook,
  finishTestBuild,
  testManifest,
  type TestOrganization,
} from "./factories.ts";
export { findChromium } from "./find-chromium.ts";
export { edgeGuardSql, unguardEdgesSql } from "./guard-edges.ts";
export { listening } from "./listening.ts";
export { createTestInvitation, createTestMember, signInTestMember } from "./members.ts";
export { endsHttpReply, endsPostgresReply, startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
export { hasHugePages } from "./has-huge-pages.ts";
export {
  startAnthropicServer,
  startOpenaiServer,
  type ModelReply,
  type ModelRequest,
  type ModelServer,
  type ToolCall,
} from "./model-servers/index.ts";
export { startOidcServer, type OidcFault, type TestOidcServer } from "./oidc-server.ts";
export { atNight, isNightly } from "./rings.ts";
export { findS3Server, startS3Server, type TestS3Server } from "./s3-server.ts";
export { findService, installAdvice, requireService, testStoreKind, type Services } from "./services.ts";
export { listCostliestStatements } from "./statements.ts";
export { countEndedMessages, countTurnRows, listWaits, setTestWeight } from "./turn-rows.ts";
export { waitUntil } from "./wait-until.ts";
export { testWorker } from "./test-worker.ts";

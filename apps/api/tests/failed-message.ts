// Creates a failed message as rows: sent, claimed, ended.

import { failure, type FailureCode } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession, type TestOrganization } from "@dari/testkit";
import type { TestApi } from "./api-fixture.ts";
import { claim, finish } from "./turn.ts";

export interface FailedOne {
  readonly agentId: string;
  readonly sessionId: string;
  readonly messageId: string;
}

/** In a new session, unless one is given. */
export async function createFailedMessage(
  api: TestApi,
  organization: TestOrganization,
  options: { agentId?: string; sessionId?: string; code?: FailureCode } = {},
): Promise<FailedOne> {
  const { organizationId } = organization;
  const agentId = options.agentId ?? (await createTestAgent(api.db, organizationId)).agentId;
  const sessionId = options.sessionId ?? (await createTestSession(api.db, organizationId, agentId));
  const messageId = await createTestMessage(api.db, organizationId, sessionId);
  const ended = { ending: "failed", failure: failure(options.code ?? "timeout", "the test says so") } as const;
  await finish(api, await claim(api), ended);
  return { agentId, sessionId, messageId };
}

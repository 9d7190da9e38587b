// A message is accepted by the commit alone: the sender does not wait for the queue.

import { createTestAgent, createTestSession } from "@dari/testkit";
import { expect, test } from "@jest/globals";
import { startTestApi } from "./api-fixture.ts";

test("a message is accepted while the queue accepts jobs and never answers", async () => {
  await using api = await startTestApi();
  const given: unknown[] = [];
  Object.assign(api.control, {
    admission: { mayDispatch: () => true },
    delivery: {
      available: true,
      deliver(turns: readonly unknown[]) {
        given.push(...turns);
        return new Promise(() => undefined);
      },
    },
  });
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const body = { parts: [{ type: "text", text: "hello" }] };
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
  expect([reply.status, given.length]).toEqual([202, 1]);
});

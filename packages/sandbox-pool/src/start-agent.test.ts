// What decides about a sandbox's requests to models before a turn has it.

import { expect, test } from "@jest/globals";
import type { ModelGate } from "@dari/gateway";
import type { AgentContext, AgentTurn } from "./agent-turn.ts";
import { routeReports } from "./start-agent.ts";

const context = { log: {} } as unknown as Pick<AgentContext, "log">;
const open = (manifest: object) => routeReports(context, { manifest } as unknown as AgentTurn);
const worst = { tokensMax: null, inputMax: null, model: null };
const request = { host: "api.openai.com", format: "openai-chat", ...worst } as const;

test("an agent without limits can ask models while it loads", () => {
  expect(open({}).reports.modelGate()).toBeUndefined();
});

test("an agent with limits can ask models only in a turn", async () => {
  const { reports, assignTo } = open({ limits: { requests: 1 } });
  const admission = await reports.modelGate()!.admit(request, new AbortController().signal);
  expect(admission).toMatchObject({ isAdmitted: false, reason: expect.stringContaining("`limits` in dari.yml") });
  const gate: ModelGate = { readsBody: false, admit: () => new Promise(() => {}) };
  assignTo({
    onConnection: () => {},
    onModelRequest: () => true,
    modelGate: () => gate,
    findAnswerRecorder: () => undefined,
  });
  expect(reports.modelGate()).toBe(gate);
});

// Approvals of an unchanged `Agent` of openai-agents, decided in chats of the npm package `ai`.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, type ModelReply, type ModelRequest, type ModelServer } from "@dari/testkit";
import { deploy, manifestFile } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startFleetWith } from "../src/sdk-agents.ts";
import { historyOf, importAi, openChat, textOf, waitForChat, type AiPackage, type Chat } from "../src/ui-chat.ts";

let fleet: Fleet;
let server: ModelServer;
let agentId: string;

const files = {
  "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
  "src/agent.ts": `import { Agent, tool } from "@openai/agents";
    import { z } from "zod";
    const pay = tool({ name: "pay", description: "x", parameters: z.object({ eur: z.number() }), needsApproval: true,
      execute: ({ eur }) => "paid " + eur });
    export const agent = new Agent({ name: "Payer", model: "gpt-4.1", instructions: "Pay.", tools: [pay] });`,
};

const outputs = ({ body }: ModelRequest): number =>
  (body["input"] as { type?: string }[]).filter(({ type }) => type === "function_call_output").length;

/** Asks for two payments at once. */
const pays = (request: ModelRequest): ModelReply => {
  const toolCalls = [1, 2].map((eur) => ({ name: "pay", arguments: { eur } }));
  return outputs(request) === 0 ? { text: "Let me pay.", toolCalls } : { text: "It is done." };
};

beforeAll(async () => {
  server = await startOpenaiServer(pays);
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
  const env = { OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_AGENTS_DISABLE_TRACING: "1" };
  const runtime = { language: "typescript", version: "22" };
  const manifest = {
    sdk: "openai-agents",
    entrypoint: "src/agent.ts:agent",
    runtime,
    secrets: ["OPENAI_API_KEY"],
    env,
  };
  ({ agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files }));
}, 240_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const waitingIn = (chat: Chat) => chat.lastMessage?.parts.find(({ state }) => state === "approval-requested");

test.each([6, 7] as const)(
  "version %s decides about two calls in turn, one after a reload",
  async (version) => {
    const ai: AiPackage = await importAi(version);
    const { id: sessionId } = await fleet.client.createSession(agentId);
    const first = openChat(fleet, { ai, version, sessionId });
    await first.sendMessage({ text: "pay" });
    expect([first.status, first.error, textOf(first.lastMessage)]).toEqual(["ready", undefined, "Let me pay."]);
    const asked = waitingIn(first);
    expect(asked?.["input"]).toMatchObject({ call: { toolName: "pay", input: { eur: 1 } } });
    await first.addToolApprovalResponse({ id: asked?.approval?.id, approved: true });
    await waitForChat(first, () => first.status === "ready" && waitingIn(first) !== undefined, "the second question");
    expect(waitingIn(first)?.["input"]).toMatchObject({ call: { toolName: "pay", input: { eur: 2 } } });

    const messages = await historyOf(fleet, sessionId, version);
    const chat = openChat(fleet, { ai, version, sessionId, messages });
    await chat.addToolApprovalResponse({ id: waitingIn(chat)?.approval?.id, approved: false, reason: "too much" });
    await waitForChat(chat, () => chat.status === "ready" && textOf(chat.lastMessage).endsWith("done."), "the end");
    const states = chat.lastMessage?.parts.flatMap((part) => (part.type === "dynamic-tool" ? [part.state] : []));
    // Two calls with their results, and two questions.
    expect(states).toEqual(["output-available", "output-available", "output-available", "output-denied"]);
    expect(chat.lastMessage?.parts).toContainEqual(expect.objectContaining({ toolName: "pay", output: "paid 1" }));
    expect([chat.error, chat.messages.length]).toEqual([undefined, 2]);
    expect((await fleet.client.listMessages(sessionId)).data).toHaveLength(1);
    const shown = (await historyOf(fleet, sessionId, version)).at(-1)?.parts.map(({ type, state }) => [type, state]);
    expect(shown).toEqual(chat.lastMessage?.parts.map(({ type, state }) => [type, state]));
  },
  120_000,
);

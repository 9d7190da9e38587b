// SDKs find a bundle's instructions, skills and agents in the working directory. From published packages.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startAnthropicServer, startOpenaiServer, type ModelServer } from "@dari/testkit";
import { deploy, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { exampleAgent, startFleetWith } from "../src/sdk-agents.ts";

let fleet: Fleet;
let anthropic: ModelServer;
let openai: ModelServer;
beforeAll(async () => {
  anthropic = await startAnthropicServer(() => ({ text: "Yes" }));
  openai = await startOpenaiServer(() => ({ text: "Yes" }));
  fleet = await startFleetWith([anthropic, openai], ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]);
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await anthropic[Symbol.asyncDispose]();
  await openai[Symbol.asyncDispose]();
}, 120_000);

const skill = "---\nname: harvest\ndescription: Counts quinces in autumn\n---\nCount them.\n";
const files = {
  "CLAUDE.md": "The word of the day is plum.\n",
  "AGENTS.md": "The word of the day is plum.\n",
  ".claude/skills/harvest/SKILL.md": skill,
  ".pi/skills/harvest/SKILL.md": skill,
  ".opencode/agent/picker.md": "---\ndescription: Picks quinces in autumn\nmode: subagent\n---\nPick them.\n",
};

async function ask(agent: Parameters<typeof deploy>[1], server: ModelServer): Promise<string> {
  const { agentId } = await deploy(fleet, { ...agent, ...files });
  const { id: session } = await fleet.client.createSession(agentId);
  const before = server.requests.length;
  for (const prompt of ["Is it there?", "Still?"]) {
    const record = await send(fleet, session, prompt);
    expect([textOf(record), record.files_changed]).toEqual(["Yes", []]);
  }
  return server.requests
    .slice(before)
    .map(({ text }) => text)
    .join("\n");
}

const claudeEnv = (): Record<string, string> => ({
  ANTHROPIC_BASE_URL: anthropic.url,
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
});

test("claude-agent-sdk with the project's settings", async () => {
  const agent = `export const agent = {
    model: "claude-sonnet-4-5", settingSources: ["project"], allowedTools: ["Read", "Skill"], maxTurns: 5 };`;
  const said = await ask(exampleAgent("claude-agent-sdk-js", claudeEnv(), { "src/agent.js": agent }), anthropic);
  expect(said).toContain("word of the day is plum");
  expect(said).toContain("Counts quinces in autumn");
}, 900_000);

test("opencode", async () => {
  const said = await ask(exampleAgent("opencode", { OPENAI_BASE_URL: `${openai.url}/v1` }), openai);
  expect(said).toContain("word of the day is plum");
  expect(said).toContain("Picks quinces in autumn");
}, 900_000);

test("pi", async () => {
  const said = await ask(exampleAgent("pi", { ANTHROPIC_BASE_URL: anthropic.url }), anthropic);
  expect(said).toContain("word of the day is plum");
  expect(said).toContain("Counts quinces in autumn");
}, 900_000);

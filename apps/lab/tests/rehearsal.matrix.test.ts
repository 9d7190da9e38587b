// The run of OpenAI's SDK that a template makes before its first fork, with the published packages: it is made, it asks
// no model, and no turn of the agent sees anything of it.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, waitUntil, type ModelServer } from "@dari/testkit";
import { activityOf } from "../src/activity.ts";
import { testsEverySdk } from "../src/config.ts";
import { deploy, manifestFile, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startFleetWith } from "../src/sdk-agents.ts";

let fleet: Fleet;
let server: ModelServer;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "Rome" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const javascript = (packages: string): Record<string, string> => ({
  "package.json": `{"type":"module","dependencies":${packages}}`,
  "agent.js": `
    import { Agent, run, setTraceProcessors } from "@openai/agents";
    const seen = [];
    const note = (name) => async () => void seen.push(name);
    const traces = { onTraceStart: note("trace"), onTraceEnd: note("end") };
    const spans = { onSpanStart: note("span"), onSpanEnd: note("span end") };
    setTraceProcessors([{ ...traces, ...spans, shutdown: async () => {}, forceFlush: async () => {} }]);
    const helper = new Agent({ name: "Helper", instructions: "Answer." });
    export async function agent(prompt) {
      const before = [...seen];
      const { finalOutput } = await run(helper, prompt);
      return JSON.stringify({ before, said: finalOutput, isTraced: seen.includes("trace") });
    }`,
});
const python = (version: string): Record<string, string> => ({
  "requirements.txt": `openai-agents==${version}\n`,
  "agent.py": `
from agents import Agent, Runner
from agents.tracing import setup
helper = Agent(name="Helper", instructions="Answer.")
async def agent(prompt):
    before = [str(one) for one in (setup.GLOBAL_TRACE_PROVIDER,) if one is not None]
    result = await Runner.run(helper, prompt)
    return {"before": before, "said": result.final_output, "isTraced": True}`,
});

const newest = { language: "typescript", files: javascript(`{"@openai/agents":"0.20.0","zod":"4.6.7"}`) };
const older = { language: "typescript", files: javascript(`{"@openai/agents":"0.8.3","zod":"4.3.6"}`) };
const rows = [
  { title: "newest JavaScript", ...newest, version: "24" },
  { title: "newest JavaScript, Node 22", ...newest, version: "22" },
  { title: "older JavaScript", ...older, version: "24" },
  { title: "newest Python", language: "python", version: undefined, files: python("0.24.0") },
  { title: "older Python", language: "python", version: undefined, files: python("0.13.5") },
];
const chosen = testsEverySdk() ? rows : rows.slice(0, 1);

interface Line {
  readonly msg: string;
  readonly not_rehearsed?: string;
}

const templates = (): Line[] =>
  fleet.workers
    .flatMap((worker) => worker.readLog().split("\n"))
    .filter((line) => /warm\.(template_ready|no_template)/.test(line))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as Line);

test.each(chosen)(
  "$title",
  async ({ language, version, files }) => {
    const known = templates().length;
    // The agents in JavaScript trace to themselves.
    const untraced = language === "python" ? { OPENAI_AGENTS_DISABLE_TRACING: "1" } : {};
    const manifest = {
      sdk: "openai-agents",
      entrypoint: `agent.${language === "python" ? "py" : "js"}:agent`,
      runtime: { language, ...(version !== undefined && { version }) },
      secrets: ["OPENAI_API_KEY"],
      env: { OPENAI_BASE_URL: `${server.url}/v1`, ...untraced },
    };
    const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
    const { id: session } = await fleet.client.createSession(agentId);
    await send(fleet, session, "Where to?");
    await waitUntil(() => templates().length > known, { what: "the template", timeoutMs: 60_000 });
    const asked = server.requests.length;
    expect(templates().at(-1)).toMatchObject({ msg: "warm.template_ready" });
    expect(templates().at(-1)?.not_rehearsed).toBeUndefined();
    for (let i = 0; i < 3; i += 1) {
      const { id: other } = await fleet.client.createSession(agentId);
      const record = await send(fleet, other, "Where to?");
      expect(JSON.parse(textOf(record))).toEqual({ before: [], said: "Rome", isTraced: true });
      const events = await activityOf(fleet, other, record.id);
      expect(JSON.stringify(events)).not.toContain("rehears");
      expect(events[0]).toMatchObject({ type: "model.request_started", data: { ordinal: 1, agent: "Helper" } });
    }
    expect(server.requests.length - asked).toBe(3);
  },
  400_000,
);

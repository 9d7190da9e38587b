// The measured agents. Each answers "ok" to `prompts.quick`, and waits for the model server with `prompts.waiting`.

import { startOpenaiServer, type ModelRequest, type ModelServer } from "@dari/testkit";
import type { BundleFiles } from "../../bundle.ts";

export const prompts = { quick: "go", waiting: "wait for the model" } as const;

const nodeManifest = (name: string, sdk: string, runtime = ""): string =>
  `name: cost-${name}\nsdk: ${sdk}\nentrypoint: agent.js:agent\nruntime: {language: typescript${runtime}}\n`;
const pythonManifest = (name: string, runtime = ""): string =>
  `name: cost-${name}\nsdk: openai-agents\nentrypoint: agent.py:agent\n${runtime}`;

const javascript = {
  "package.json": '{"type":"module"}',
  "agent.js": `
export async function agent(prompt) {
  if (prompt !== ${JSON.stringify(prompts.waiting)}) return "ok";
  const body = JSON.stringify({ messages: [{ role: "user", content: prompt }] });
  const reply = await fetch("MODEL_URL/v1/chat/completions", { method: "POST", body });
  return (await reply.json()).choices[0].message.content;
}
`,
};
const python = {
  "agent.py": `
import json, urllib.request

def agent(prompt):
    if prompt != ${JSON.stringify(prompts.waiting)}:
        return "ok"
    body = json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode()
    with urllib.request.urlopen("MODEL_URL/v1/chat/completions", body) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]
`,
};
const openai = {
  "package.json": '{"type":"module","dependencies":{"@openai/agents":"0.20.0","zod":"4.6.7"}}',
  "agent.js": `
import { Agent } from "@openai/agents";
export const agent = new Agent({ name: "cost", instructions: "Answer." });
`,
};

const sources = {
  javascript: { "dari.yml": nodeManifest("javascript", "opencode"), ...javascript },
  python: { "dari.yml": pythonManifest("python"), ...python },
  "openai-agents": { "dari.yml": nodeManifest("openai-agents", "openai-agents"), ...openai },
  "javascript-reuse": { "dari.yml": nodeManifest("javascript-reuse", "opencode", ", reuse: session"), ...javascript },
  "python-reuse": { "dari.yml": pythonManifest("python-reuse", "runtime: {reuse: session}\n"), ...python },
} satisfies Record<string, BundleFiles>;

export type AgentName = keyof typeof sources;
export const agentNames = Object.keys(sources) as AgentName[];
/** Those that are measured unless others are named. */
export const usualAgents: readonly AgentName[] = ["javascript", "python", "openai-agents"];

/** Returns the files to deploy, for agents that reach the model server at `url`. */
export function filesOfAgent(name: AgentName, url: string): BundleFiles {
  const env = { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "none", OPENAI_AGENTS_DISABLE_TRACING: "1" };
  const entries = Object.entries<string>(sources[name]).map(([file, text]) => [file, text.replace("MODEL_URL", url)]);
  const files = Object.fromEntries(entries) as Record<string, string>;
  return { ...files, "dari.yml": `${files["dari.yml"]}env: ${JSON.stringify(env)}\n` };
}

/** A local model server whose answers to waiting turns can be held. It runs in this process, which is not measured. */
export interface Model extends AsyncDisposable {
  readonly server: ModelServer;
  /** Returns how many turns wait for an answer. */
  readonly waiting: number;
  /** Answers all turns that wait, and those that come until `hold` is called. */
  release(): void;
  hold(): void;
}

export async function startModel(): Promise<Model> {
  let gate = Promise.withResolvers<void>();
  let waiting = 0;
  const server = await startOpenaiServer(async ({ text }: ModelRequest) => {
    if (!text.includes(prompts.waiting)) return { text: "ok" };
    waiting += 1;
    await gate.promise;
    waiting -= 1;
    return { text: "ok" };
  });
  return {
    server,
    get waiting() {
      return waiting;
    },
    release: () => gate.resolve(),
    hold: () => void (gate = Promise.withResolvers()),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

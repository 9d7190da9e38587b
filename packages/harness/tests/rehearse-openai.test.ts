// The rehearsal of @openai/agents, with a package of that name that makes a request as the SDK's Runner does.

import { afterAll, afterEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface Made {
  readonly tracingDisabled: boolean;
  readonly host: string;
  readonly agent: string;
  readonly reply: string;
}

const path = fileURLToPath(new URL("../guest/node/sdk/rehearse-openai.mjs", import.meta.url));
const { rehearseOpenai } = (await import(path)) as { rehearseOpenai(file: string): Promise<void> };
const dir = mkdtempSync(join(tmpdir(), "rehearse-openai-"));
const packageDir = join(dir, "node_modules/@openai/agents");
mkdirSync(packageDir, { recursive: true });
writeFileSync(join(packageDir, "package.json"), '{"type":"module","exports":"./index.mjs"}');
writeFileSync(
  join(packageDir, "index.mjs"),
  `
export const made = [];
export const tool = (options) => options;
export class Agent { constructor(options) { Object.assign(this, options); } }
export class OpenAIProvider { constructor({ baseURL }) { this.baseURL = baseURL; } }
export class Runner {
  constructor(config) { this.config = config; }
  async run(agent, input, { signal }) {
    const { modelProvider, tracingDisabled } = this.config;
    const response = await fetch(modelProvider.baseURL + "/responses", { method: "POST", body: "{}", signal });
    const reply = await response.text();
    made.push({ tracingDisabled, host: new URL(modelProvider.baseURL).hostname, agent: agent.name, reply });
    return { completed: Promise.resolve(), async *[Symbol.asyncIterator]() {} };
  }
}
`,
);
const { made } = (await import(join(packageDir, "index.mjs"))) as { made: Made[] };
const { fetch } = globalThis;
const telemetry = Symbol.for("opentelemetry.js.api.1");

const countConnections = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;

afterEach(() => {
  globalThis.fetch = fetch;
  delete (globalThis as { [telemetry]?: object })[telemetry];
  made.length = 0;
});
afterAll(() => rmSync(dir, { recursive: true }));

test("runs agents of its own, untraced, against a server of this process, and closes all connections", async () => {
  const before = countConnections();
  await rehearseOpenai(join(dir, "agent.mjs"));
  for (const one of made) expect(one).toMatchObject({ tracingDisabled: true, host: "127.0.0.1", agent: "rehearsal" });
  // The model calls a tool, and answers.
  const said = made.map(({ reply }) => /"type":"(message|function_call)"/.exec(reply)?.[1]);
  expect(said.slice(0, 2)).toEqual(["function_call", "message"]);
  expect(countConnections()).toBe(before);
});

test.each([
  ["the agent has replaced fetch", () => void (globalThis.fetch = () => Promise.reject(new Error("seen")))],
  ["the agent has registered OpenTelemetry", () => void Object.assign(globalThis, { [telemetry]: {} })],
])("does nothing if %s", async (_title, prepare) => {
  prepare();
  await rehearseOpenai(join(dir, "agent.mjs"));
  expect(made).toEqual([]);
});

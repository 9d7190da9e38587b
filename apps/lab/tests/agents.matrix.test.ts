// What an agent can be and what it gets: languages, shapes, runtimes, context, events, environment, HOME, history.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findService, isNightly, waitUntil } from "@dari/testkit";
import type { BundleFiles } from "../src/bundle.ts";
import { deploy, ended, manifestFile, post, send, textOf, uploadText } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start } from "../src/script.ts";

let fleet: Fleet;
let meeting: Rendezvous;
let scripted: string;

beforeAll(async () => {
  meeting = await openRendezvous();
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  scripted = (await deploy(fleet, scriptAgent())).agentId;
}, 120_000);

afterAll(async () => {
  await meeting[Symbol.asyncDispose]();
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

async function newSession(agentId = scripted): Promise<string> {
  return (await fleet.client.createSession(agentId)).id;
}

/** Deploys one file as an agent and returns its answer to "hi". */
async function answerOf(entrypoint: string, source: string, others: BundleFiles = {}): Promise<string> {
  const [path = ""] = entrypoint.split(":");
  const { agentId } = await deploy(fleet, { ...manifestFile({ entrypoint }), [path]: source, ...others });
  return textOf(await send(fleet, await newSession(agentId), "hi"));
}

const es = (source: string): string => `export ${source}`;

test("an answer without text and changed files has a note, and one with either does not", async () => {
  const source = `import { writeFileSync } from "node:fs";
    export const agent = (prompt) => (prompt === "write" ? writeFileSync("a.txt", "a") : undefined);`;
  const { agentId } = await deploy(fleet, {
    ...manifestFile({ entrypoint: "agent.mjs:agent", sdk: "function" }),
    "agent.mjs": source,
  });
  const session = await newSession(agentId);
  expect((await send(fleet, session, "nothing")).output).toEqual({
    parts: [],
    notes: ["the agent answered without text and changed no file"],
  });
  expect((await send(fleet, session, "write")).output).toEqual({ parts: [] });
});

describe("TypeScript and JavaScript", () => {
  test.each([
    { name: "a sync function", source: es("function agent(prompt) { return `sync ${prompt}`; }"), answer: "sync hi" },
    { name: "an async function", source: es("const agent = async (prompt) => `async ${prompt}`;"), answer: "async hi" },
    { name: "a generator", source: es("function* agent(prompt) { yield 'gen '; yield prompt; }"), answer: "gen hi" },
    {
      name: "an async generator",
      source: es("async function* agent(prompt) { yield 'agen '; await null; yield prompt; }"),
      answer: "agen hi",
    },
    { name: "parts", source: es("const agent = () => ({ parts: [{ type: 'text', text: 'part' }] });"), answer: "part" },
    { name: "a value", source: es("const agent = () => ({ n: 1 });"), answer: '{"n":1}' },
  ])("an ES module that exports $name", async ({ source, answer }) => {
    expect(await answerOf("src/agent.mjs:agent", source)).toBe(answer);
  });

  test("a CommonJS module, by its file name and by its package", async () => {
    const source = "const { tail } = require('./tail');\nmodule.exports = { agent: async (prompt) => prompt + tail };";
    const other = { "src/tail.js": "exports.tail = ' from cjs';" };
    expect(await answerOf("src/agent.cjs:agent", source, other)).toBe("hi from cjs");
    const asPackage = { ...other, "package.json": '{ "type": "commonjs" }' };
    expect(await answerOf("src/agent.js:agent", source, asPackage)).toBe("hi from cjs");
  });

  test("a .js file without a package.json that is written as an ES module", async () => {
    const source = "import { join } from 'node:path';\nexport const agent = (prompt) => join(prompt, 'there');";
    expect(await answerOf("src/agent.js:agent", source)).toBe("hi/there");
  });

  test("TypeScript with what only a compiler removes, over several files", async () => {
    const source = `
      import { Tone, type Greeting } from "./greeting.js";
      import data from "./data.json" with { type: "json" };
      abstract class Base { constructor(protected readonly prompt: string) {} abstract say(): string }
      class Agent extends Base {
        say(): string { const g: Greeting = { tone: Tone.Warm }; return this.prompt + " " + g.tone + " " + data.n; }
      }
      export async function agent(prompt: string): Promise<string> { return new Agent(prompt).say(); }`;
    const others = {
      "src/greeting.ts": 'export enum Tone { Warm = "warm" }\nexport interface Greeting { readonly tone: Tone }',
      "src/data.json": '{ "n": 7 }',
    };
    expect(await answerOf("src/agent.ts:agent", source, others)).toBe("hi warm 7");
  });

  test.each(isNightly() ? ["20", "22", "24"] : ["24"])(
    "Node %s when the manifest asks for it",
    async (version) => {
      const { agentId } = await deploy(fleet, scriptAgent({ version }));
      const [running] = resultsOf(await playScript(fleet, await newSession(agentId), [["version"]]));
      expect(running).toMatch(new RegExp(`^v${version}\\.`));
    },
    300_000,
  );
});

describe("Python", () => {
  test.each([
    { name: "a sync function", source: "def agent(prompt):\n  return f'sync {prompt}'", answer: "sync hi" },
    {
      name: "an async function",
      source: "async def agent(prompt='x'):\n  return f'async {prompt}'",
      answer: "async hi",
    },
    { name: "a generator", source: "def agent(prompt):\n  yield 'gen '\n  yield prompt", answer: "gen hi" },
    {
      name: "an async generator",
      source: "async def agent(prompt):\n  yield 'agen '\n  yield prompt",
      answer: "agen hi",
    },
    { name: "parts", source: "def agent(p):\n  return {'parts': [{'type': 'text', 'text': 'part'}]}", answer: "part" },
    { name: "a value", source: "def agent(prompt):\n  return {'n': [1, None]}", answer: '{"n":[1,null]}' },
  ])("$name", async ({ source, answer }) => {
    expect(await answerOf("agent.py:agent", source)).toBe(answer);
  });

  test("a module of a package, its context, and the requested version", async () => {
    const source = [
      "import json, sys",
      "from .words import WORD",
      "def agent(prompt, context):",
      "  context.emit('thought', {'n': 1})",
      "  names = ['session_id', 'message_id', 'attempt', 'metadata', 'operation_key', 'workspace']",
      "  seen = {name: getattr(context, name) for name in names}",
      "  return json.dumps({**seen, 'word': WORD, 'python': sys.version_info[:2], 'history': len(context.history)})",
    ].join("\n");
    const files = {
      ...manifestFile({ entrypoint: "pkg/agent.py:agent", runtime: { language: "python", version: "3.11" } }),
      "pkg/__init__.py": "",
      "pkg/words.py": "WORD = 'imported'\n",
      "pkg/agent.py": source,
    };
    const session = await newSession((await deploy(fleet, files)).agentId);
    const record = await send(fleet, session, { parts: [{ type: "text", text: "hi" }], metadata: { source: "lab" } });
    const seen = JSON.parse(textOf(record)) as Record<string, unknown>;
    expect(seen).toMatchObject({
      session_id: session,
      message_id: record.id,
      attempt: 1,
      word: "imported",
      history: 0,
    });
    expect(seen).toMatchObject({ metadata: { source: "lab" }, python: [3, 11] });
    const { data } = await fleet.client.listEvents(session, { limit: 100 });
    const emitted = data.filter((event) => event.type === "agent.event").map((event) => event.data);
    expect(emitted).toEqual([{ name: "thought", data: { n: 1 } }]);
  });
});

describe("the context", () => {
  test("names the turn, its parts with local paths, its metadata, and one key over attempts", async () => {
    const session = await newSession();
    const file = await uploadText(fleet, "a.txt", "from the file");
    const record = await send(fleet, session, {
      parts: [
        { type: "text", text: JSON.stringify([["context"], ["read", "input/a.txt"]]) },
        { type: "file", file_id: file },
      ],
      metadata: { source: "lab", n: "1" },
    });
    const [context, read] = resultsOf(record) as [Record<string, unknown>, string];
    expect(read).toBe("from the file");
    expect(context).toMatchObject({
      sessionId: session,
      messageId: record.id,
      attempt: 1,
      metadata: { source: "lab", n: "1" },
      history: [],
      operationKey: expect.any(String),
      workspace: expect.stringMatching(/^\//),
    });
    const [text, part] = context["parts"] as Record<string, unknown>[];
    expect(text).toMatchObject({ type: "text" });
    expect(part).toMatchObject({
      type: "file",
      file_id: file,
      local_path: expect.stringMatching(/^\/.*\/input\/a\.txt$/),
    });
  });

  test("keeps the operation key while an attempt follows another", async () => {
    const source = `
      export function agent(prompt, { attempt, operationKey, emit }) {
        emit("key", { attempt, operationKey });
        if (attempt === 1) throw new Error("once more");
        return operationKey;
      }`;
    const files = { ...manifestFile({ entrypoint: "a.mjs:agent", retries: { max_attempts: 2 } }), "a.mjs": source };
    const session = await newSession((await deploy(fleet, files)).agentId);
    const key = textOf(await send(fleet, session, "hi"));
    const { data } = await fleet.client.listEvents(session, { limit: 100 });
    const emitted = data.filter((event) => event.type === "agent.event");
    expect(emitted.map((event) => event.data)).toEqual([
      { name: "key", data: { attempt: 1, operationKey: key } },
      { name: "key", data: { attempt: 2, operationKey: key } },
    ]);
    expect(new Set(emitted.map((event) => event.attempt_id)).size).toBe(2);
  });

  test("has the conversation so far, without failed turns", async () => {
    const session = await newSession();
    await playScript(fleet, session, [["attempt"]]);
    expect((await playScript(fleet, session, [["throw", "not told"]])).status).toBe("failed");
    const [history] = resultsOf(await playScript(fleet, session, [["history"]]));
    expect(history).toEqual([
      { role: "user", parts: [{ type: "text", text: '[["attempt"]]' }] },
      { role: "assistant", parts: [{ type: "text", text: "[1]" }] },
    ]);
  });
});

test("events that an agent emits are in the ledger while it runs, in order, without a gap", async () => {
  const session = await newSession();
  const { id } = await start(fleet, session, [
    ["emit", "step", { n: 1 }],
    ["emit", "step", { n: 2 }],
    ["meet", meeting.urlOf("emitted")],
  ]);
  await meeting.arrived("emitted");
  const running = await fleet.client.listEvents(session, { limit: 100 });
  expect(running.data.at(-1)).toMatchObject({
    type: "agent.event",
    data: { name: "step", data: { n: 2 } },
    message_id: id,
  });
  meeting.open("emitted");
  await ended(fleet, id);
  const { data } = await fleet.client.listEvents(session, { limit: 100 });
  expect(data.map((event) => event.sequence_number)).toEqual(data.map((_, index) => index + 1));
  expect(data.map((event) => event.type)).toEqual([
    "session.created",
    "user.message",
    "message.status_changed",
    "session.status_changed",
    "message.status_changed",
    "attempt.started",
    "agent.event",
    "agent.event",
    "attempt.ended",
    "assistant.message_completed",
    "workspace.committed",
    "message.status_changed",
    "message.completed",
    "session.status_changed",
  ]);
});

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("environment and secrets", () => {
  const manifest = { env: { APP_ENV: "production" }, secrets: ["LAB_TOKEN"] };

  test("a secret without a value fails the message before anything runs", async () => {
    const { agentId } = await deploy(fleet, scriptAgent({ secrets: ["LAB_MISSING"] }));
    const record = await playScript(fleet, await newSession(agentId), [["meet", meeting.urlOf("never")]]);
    expect(record).toMatchObject({ status: "failed", output: { error: { code: "missing_secret" } } });
    expect(record.output?.error?.message).toContain("LAB_MISSING");
    expect(meeting.arrivals("never")).toBe(0);
  });

  test("an agent sees its variables and secrets, and nothing of the platform's", async () => {
    await fleet.client.putCredential("LAB_TOKEN", { value: "s3cr3t-value" });
    const { agentId } = await deploy(fleet, scriptAgent(manifest));
    const session = await newSession(agentId);
    const record = await playScript(fleet, session, [
      ["environment", "APP_ENV", "LAB_TOKEN"],
      ["environmentDigests", "LAB_TOKEN"],
      ["environmentNames"],
    ]);
    const [values, digests, names] = resultsOf(record) as [string[], string[], string[]];
    expect(values).toEqual(["production", "[redacted:LAB_TOKEN]"]);
    expect(digests).toEqual([digestOf("s3cr3t-value")]);
    const own = names.filter((name) => !/proxy/i.test(name));
    expect(own.filter((name) => /^(DATABASE|REDIS|S3|AWS|NODE_)/.test(name))).toEqual([]);
    expect(own).toEqual(["APP_ENV", "DARI_BUNDLE_DIR", "HOME", "LAB_TOKEN", "LANG", "PATH", "PWD", "TMPDIR"]);
  });

  test("a new value applies from the next turn on; a session's own value wins", async () => {
    const { agentId } = await deploy(fleet, scriptAgent(manifest));
    const session = await newSession(agentId);
    const own = await fleet.client.createSession(agentId, { secrets: { LAB_TOKEN: "of the session" } });
    await fleet.client.putCredential("LAB_TOKEN", { value: "second value" });
    const digests = [["environmentDigests", "LAB_TOKEN"]] as const;
    expect(resultsOf(await playScript(fleet, session, digests))).toEqual([[digestOf("second value")]]);
    expect(resultsOf(await playScript(fleet, own.id, digests))).toEqual([[digestOf("of the session")]]);
    expect(JSON.stringify(own)).not.toContain("of the session");
  });
});

test("HOME keeps its files over turns, of this session only, and is neither listed nor counted", async () => {
  const [session, other] = [await newSession(), await newSession()];
  const first = await playScript(fleet, session, [["writeHome", "memory.json", "remembered"]]);
  expect(first.files_changed).toEqual([]);
  expect(resultsOf(await playScript(fleet, session, [["readHome", "memory.json"]]))).toEqual(["remembered"]);
  expect(resultsOf(await playScript(fleet, other, [["readHome", "memory.json"]]))).toEqual(["no: ENOENT"]);
  expect((await fleet.client.listSessionFiles(session, { recursive: true })).entries).toEqual([]);
});

test("an agent answers with files it wrote", async () => {
  const record = await playScript(fleet, await newSession(), [
    ["write", "output/a.txt", "x"],
    ["answer", "parts"],
  ]);
  expect(record.output?.parts).toEqual([
    { type: "text", text: "see" },
    { type: "file", path: "/output/a.txt" },
  ]);
});

test("the agent's source is read-only and its folder is not the workspace", async () => {
  const source = `
    import { writeFile, readdir } from "node:fs/promises";
    export async function agent() {
      const error = await writeFile(new URL("./agent.mjs", import.meta.url), "x").catch((caught) => caught.code);
      return JSON.stringify([error, await readdir(".")]);
    }`;
  const [error, listed] = JSON.parse(await answerOf("src/agent.mjs:agent", source)) as [string, string[]];
  expect(error).toMatch(/^E(ROFS|ACCES|PERM)$/);
  expect(listed.filter((name) => name === "src" || name === "dari.yml")).toEqual([]);
});

describe("runtime.reuse: session", () => {
  const source = `
    import { writeSync } from "node:fs";
    let turns = 0;
    const used = { t: "error", code: "agent_error", message: "", stack: "", usage: { total_tokens: 9 } };
    const say = () => writeSync(3, JSON.stringify(used) + "\\n");
    const hang = ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(say())));
    const does = { die: () => process.exit(1), throw: () => { throw new Error("asked to") }, hang };
    export async function agent(prompt, context) {
      turns += 1;
      console.log("log of turn " + turns);
      await does[prompt]?.(context);
      (await import("node:fs")).writeFileSync("turn-" + turns, process.env.LAB_REUSED);
      return "turn " + turns;
    }`;
  const manifest = { entrypoint: "a.mjs:agent", secrets: ["LAB_REUSED"] };
  const files = {
    ...manifestFile({ ...manifest, runtime: { reuse: "session", timeout_seconds: 2 } }),
    "a.mjs": source,
  };
  let agentId: string;

  beforeAll(async () => {
    await fleet.client.putCredential("LAB_REUSED", { value: "first value" });
    agentId = (await deploy(fleet, files)).agentId;
  });

  test("one process serves a session's turns, with their own files and logs, and no other session's", async () => {
    const [session, other] = [await newSession(agentId), await newSession(agentId)];
    const said = [];
    for (const one of [session, other, session]) said.push(await send(fleet, one, "hi"));
    expect(said.map(textOf)).toEqual(["turn 1", "turn 1", "turn 2"]);
    const last = said[2]!;
    expect(last.files_changed).toEqual([{ path: "/turn-2", change: "created", size_bytes: 11 }]);
    expect(await fleet.client.getMessageLogs(last.id)).toContain("log of turn 2");
    expect(await fleet.client.getMessageLogs(last.id)).not.toContain("log of turn 1");
    const { entries } = await fleet.client.listSessionFiles(session, { recursive: true });
    expect(entries.map(({ path }) => path)).toEqual(["/turn-1", "/turn-2"]);
  });

  test.each(["die", "throw", "hang", "a cancel", "a changed credential"])("%s ends it", async (how) => {
    const session = await newSession(agentId);
    await fleet.client.putBudget({ session_id: session, period: "total", max_tokens: 999 });
    expect(textOf(await send(fleet, session, "hi"))).toBe("turn 1");
    if (how === "a changed credential") await fleet.client.putCredential("LAB_REUSED", { value: "second value" });
    else if (how === "a cancel") {
      const { id } = await post(fleet, session, "hang");
      const isCalled = async (): Promise<boolean> => (await fleet.client.getMessageLogs(id)).includes("log of turn 2");
      await waitUntil(isCalled, { what: "the agent to run" });
      await fleet.client.cancelMessage(id);
      expect((await ended(fleet, id)).status).toBe("cancelled");
    } else expect((await send(fleet, session, how)).status).toBe("failed");
    expect(textOf(await send(fleet, session, "hi"))).toBe("turn 1");
    // Usage that the agent reports when it is stopped is charged, also when no client waits for the answer.
    const budget = (await fleet.client.listBudgets()).data.find((one) => one.target_id === session);
    expect(budget?.tokens).toBe(how === "hang" || how === "a cancel" ? 9 : 0);
  });
});

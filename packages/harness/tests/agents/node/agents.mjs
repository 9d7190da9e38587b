// Scripted agents: each export plays one case of the tests. agents.py beside it plays the same.
import { spawnSync } from "node:child_process";
import { closeSync, writeFileSync, writeSync } from "node:fs";
import { errorOf, nameOf } from "../../../guest/node/activity.mjs";
import { decide } from "../../../guest/node/sdk/openai-approvals.mjs";
import { connectServers } from "../../../guest/node/sdk/openai-mcp.mjs";

export const text = (prompt) => `you said: ${prompt}`;
export const nothing = () => {};
export const asyncText = async (prompt = "default") => prompt.toUpperCase();
export const parts = () => ({
  parts: [
    { type: "text", text: "see" },
    { type: "file", path: "output/a.txt" },
  ],
});
export const number = () => 42;
export const object = () => ({ answer: [1, null, "ä"] });
export function* generator(prompt) {
  yield "one ";
  yield "two ";
  yield prompt;
}
export async function* asyncGenerator() {
  yield "a";
  await null;
  yield 1;
  yield "b😀";
}
export function* generatorWithReturn() {
  yield "thinking…";
  return { parts: [{ type: "text", text: "final" }] };
}
export const context = (_prompt, context) => {
  const { emit, signal, inbox: _inbox, ...rest } = context;
  return { seen: { ...rest, emits: typeof emit, aborted: signal.aborted } };
};
export const surroundings = () => ({
  children: spawnSync("/bin/ls", ["-l", "/proc/self/fd"], { encoding: "utf8" }).stdout,
  cwd: process.cwd(),
});
export const emits = (_prompt, { emit }) => {
  emit("step", { n: 1 });
  emit("bare");
  return "done";
};
export const callsTools = async (_prompt, { tool }) => {
  const cycle = {};
  cycle.self = cycle;
  const sum = await tool("add", { a: 1, b: 2 }, ({ a, b }) => a + b);
  const failed = await tool("fail", null, () => Promise.reject(new RangeError("no luck"))).catch(String);
  const long = await tool("read", { path: "x".repeat(20_000) }, async () => "é".repeat(10_000));
  await tool("odd", 1n, () => cycle);
  const deep = JSON.parse("[".repeat(127) + "]".repeat(127));
  await tool("deep", {}, () => deep);
  await tool("silent", {}, () => {});
  const refused = await tool("", {}, () => 1).catch((error) => error.message);
  return [sum, failed, long.length, refused];
};
export const callsTooManyTools = async (_prompt, { tool }) => {
  for (let i = 0; i < 5_010; i++) await tool("many", {}, () => i);
  return "done";
};
const png = Buffer.from("89504e470d0a1a0a0000000d49484452ff", "hex").toString("base64");
export const showsBinary = async (_prompt, { tool }) => {
  const image = { type: "image", data: png, mimeType: "image/png" };
  const source = { type: "base64", media_type: "image/png", data: png };
  const url = `data:image/png;base64,${png}`;
  await tool("blocks", { text: "data:image/png;base64,?" }, () => [{ type: "text", text: "seen" }, image]);
  await tool("source", {}, () => [{ type: "image", source }]);
  await tool("url", {}, () => url);
  await tool("block with url", {}, () => ({ type: "input_image", image_url: url, detail: "low" }));
  await tool("fields", {}, () => ({ title: "Plan", chart: url }));
  await tool("json", {}, () => JSON.stringify({ content: [{ ...image, type: "audio", mimeType: "audio/wav" }] }));
  await tool("computer", {}, () => png);
  await tool("text", {}, () => ({ mimeType: "text/plain", data: "aGk=" }));
  return "done";
};
export const sendsMuch = async (_prompt, { tool }) => {
  for (let i = 0; i < 9; i++) await tool("read", {}, () => "x".repeat(8 * 1024 * 1024));
  await tool("read", {}, () => "x".repeat(8 * 1024 * 1024 + 1));
  return "done";
};
export const failsAtLength = (_prompt, { tool }) =>
  tool("fail", {}, () => Promise.reject(new Error("x".repeat(20_000)))).catch(() => "done");
export const cutsTexts = () => ({
  name: nameOf(`${"x".repeat(199)}\u{1F600}more`),
  error: errorOf(`${"x".repeat(7_999)}\u{1F600}more`),
});
export const crashesAfterTooManyTools = async (prompt, context) => {
  process.once("SIGUSR2", () => {
    throw new RangeError("no such luck");
  });
  await context.emit("pid", process.pid);
  await callsTooManyTools(prompt, context);
  return new Promise(() => setInterval(() => {}, 1000));
};
export const countsUsage = async (_prompt, { reportUsage }) => {
  reportUsage({ input_tokens: 1, cost_usd: 0.5 });
  await reportUsage({ input_tokens: 10 });
  return { parts: [{ type: "text", text: "counted" }], usage: { input_tokens: 100, output_tokens: 3 } };
};
export function* yieldsAndCountsUsage() {
  yield "counted";
  return { parts: [{ type: "text", text: "counted" }], usage: { output_tokens: 4 } };
}
export const returnsBadUsage = () => ({ parts: [], usage: { input_tokens: "many" } });
export const reportsAndThrows = (_prompt, { reportUsage }) => {
  reportUsage({ input_tokens: 5 });
  throw new Error("after it reported");
};
export const reportsAndExits = async (_prompt, { reportUsage }) => {
  await reportUsage({ input_tokens: 6 });
  process.kill(process.pid, "SIGKILL");
};
export const reportsAndHangs = async (_prompt, { reportUsage, emit }) => {
  await reportUsage({ input_tokens: 7 });
  await emit("reported");
  for (;;);
};
export const reportsBadly = (_prompt, { reportUsage }) => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`name_${n}`, 1]));
  const errors = [[1], null, { inputTokens: 1 }, { input_tokens: -1 }, { input_tokens: "1" }, many].map((usage) => {
    try {
      return String(reportUsage(usage));
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  });
  return errors.join("\n");
};
export const asks = async (_prompt, { requestInput, emit }) => {
  emit("known", await requestInput("known", { type: "object" }));
  const approved = requestInput("approve", { type: "boolean" }, { prompt: "may I?", expiresInSeconds: 60 });
  emit("too late", await approved);
  return "too late";
};
export const asksPlainly = (_prompt, context) => {
  void context.requestInput("a", {});
  return "an answer that is not heard";
};
export const asksBadly = async (_prompt, { requestInput }) => {
  const cases = [
    [""],
    [7, {}],
    ["not a key", {}],
    ["k", "no schema"],
    ["k", { description: "x".repeat(20_000) }],
    ["k", {}, { prompt: "x".repeat(2_001) }],
    ["k", {}, { expiresInSeconds: 0 }],
  ];
  return Promise.all(cases.map((asked) => requestInput(...asked).catch((error) => error.message)));
};
export const emitsTooMuch = (_prompt, { emit }) => {
  const refused = [];
  const attempt = (action) => {
    try {
      action();
    } catch (error) {
      refused.push(error.message);
    }
  };
  attempt(() => emit("big", "x".repeat(300_000)));
  attempt(() => emit("", 1));
  attempt(() => emit("cyclic", 1n));
  attempt(() => emit("deep", JSON.parse("[".repeat(128) + "]".repeat(128))));
  attempt(() => emit("deep enough", JSON.parse("[".repeat(127) + "]".repeat(127))));
  for (let i = 0; i < 10_000; i++) attempt(() => emit("many", i));
  return { count: refused.length, last: refused.at(-1) };
};
export const unserialisable = () => ({ big: 1n });
export const returnsFunction = () => () => {};
export const badPart = () => ({ parts: [{ type: "text", text: "fine" }, { type: "image" }] });
export const badPath = () => ({ parts: [{ type: "file", path: "../../etc/passwd" }] });
export const partsIsText = () => ({ parts: "no list" });
export const tooLarge = () => "x".repeat(9 * 1024 * 1024);
export function* yieldsTooMuch() {
  for (;;) yield "x".repeat(1024 * 1024);
}
export const usesPackage = async () => {
  const { emit, operationKey } = globalThis[Symbol.for("dari.agent.context")];
  await emit("from the package");
  return `${operationKey}.pay`;
};

export const refused = () => {
  throw Object.assign(new Error("no such key"), { status: 401 });
};

export const refusedInside = async () => {
  const cause = Object.assign(new Error("Unauthorized"), { response: { status: 401 } });
  throw new Error("the model call failed", { cause });
};

export const throws = () => {
  throw new RangeError("no such luck");
};
export const exits = () => process.exit(3);
export const killed = () => {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => setInterval(() => {}, 1000));
};
export const crashesLater = () =>
  new Promise(() =>
    setImmediate(() => {
      throw new Error("in the background");
    }),
  );
/** Sends much more than the channel holds, and does not wait for the host. */
export const crashesWithFullChannel = (_prompt, { emit }) => {
  for (let i = 0; i < 60; i += 1) emit(`${i}`, { cwd: process.cwd(), text: "x".repeat(40_000) });
  setImmediate(() => {
    writeFileSync("crashing", "");
    throw new RangeError("in the background");
  });
  return new Promise(() => {});
};
export const hangs = () => {
  for (;;);
};
export const waits = (_prompt, { signal, emit }) =>
  new Promise((resolve) => {
    signal.addEventListener("abort", () => emit("stopping", signal.reason.code).then(resolve));
    emit("waiting");
  });
export const neverSettles = () => new Promise(() => {});
export const prints = () => {
  console.log('{"t":"result","parts":[]}');
  console.error("to stderr");
  return "printed";
};
export const writesToChannel = () => {
  writeSync(3, "this is not for you\n");
  return "unreachable";
};
export const floodsChannel = () => {
  const chunk = Buffer.alloc(65536, 120);
  for (let left = 20 * 1024 * 1024; left > 0;) {
    try {
      left -= writeSync(3, chunk);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
};
export const closesChannel = () => {
  closeSync(3);
  return new Promise(() => setInterval(() => {}, 1000));
};
export const outOfMemory = () => {
  const hoard = [];
  for (;;) hoard.push(new Array(100_000).fill(hoard.length));
};
export const hoardsBuffers = () => new ArrayBuffer(2 ** 46);
export class Agent {
  name = "assistant";
}
export const sdkAgent = new Agent();
export const makesAgent = async () => sdkAgent;
export const options = { name: "coder", instructions: "write code" };
export const constant = 7;
const before = [];
export const again = async (prompt, context) => {
  for (const one of before) one.emit("late");
  before.push(context);
  context.emit("heard", before.length);
  console.log(`turn ${before.length}`);
  return { prompt, turns: before.length, cwd: process.cwd() };
};
/** What is done to the servers of an agent and of the one that it hands over to, where the last cannot be reached. */
export const servers = async () => {
  const calls = [];
  const serverOf = (name, session = null) => ({
    session,
    async connect() {
      calls.push(`connect ${name}`);
      if (name === "broken") throw new Error("no such server");
    },
    async close() {
      calls.push(`close ${name}`);
      throw new Error("not well");
    },
  });
  const first = serverOf("first");
  const other = { mcpServers: [first, serverOf("broken")] };
  const agent = { mcpServers: [serverOf("connected", {}), first], handoffs: [{ agent: other }] };
  const error = await connectServers(agent).then(
    () => "none",
    ({ message }) => message,
  );
  return { calls: calls.sort(), error };
};
/** What is asked for each of these calls, which all have one id but the last. */
export const approvals = async () => {
  const asked = [];
  const requestInput = async (key, _schema, { prompt }) => (asked.push({ key, prompt }), { approved: true });
  const calls = [
    [1, "Reader", "read_file", "{}"],
    [1, "Writer", "read_file", "{}"],
    [1, "Reader", "delete_all", "{}"],
    [1, "Reader", "read_file", `{"path":"${"a".repeat(3_000)}z"}`],
    [2, "Reader", "read_file", "{}"],
    [1, "Reader", "read_file", "{}"],
    [1, "Reader", "read_file", "{}", "/".repeat(500)],
  ];
  for (const [responses, agent, name, given, callId = "call_0"] of calls) {
    const item = { agent: { name: agent }, rawItem: { name, arguments: given, callId } };
    const state = { _modelResponses: Array(responses).fill({}), getInterruptions: () => [item], approve() {} };
    await decide(state, { requestInput });
  }
  return asked;
};

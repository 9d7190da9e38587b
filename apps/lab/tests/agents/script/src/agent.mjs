// An agent that runs a script: its prompt is a list of [verb, ...arguments], its answer the list of their results.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";

const makeParent = (path) => fs.mkdir(dirname(path), { recursive: true });
const inHome = (path) => `${process.env.HOME}/${path}`;

const verbs = {
  async write(_, path, text) {
    await makeParent(path);
    await fs.writeFile(path, text);
  },
  append: (_, path, text) => fs.appendFile(path, text),
  read: (_, path) => fs.readFile(path, "utf8").catch((error) => `no: ${error.code}`),
  list: async (_, path) => (await fs.readdir(path, { recursive: true })).sort(),
  mkdir: (_, path) => fs.mkdir(path, { recursive: true }).then(() => undefined),
  remove: (_, path) => fs.rm(path, { recursive: true }),
  chmod: (_, path, mode) => fs.chmod(path, Number.parseInt(mode, 8)),
  mode: async (_, path) => ((await fs.lstat(path)).mode & 0o777).toString(8),
  symlink: (_, target, path) => fs.symlink(target, path),
  readlink: (_, path) => fs.readlink(path),
  writeHome: (_, path, text) => fs.writeFile(inHome(path), text),
  readHome: (_, path) => fs.readFile(inHome(path), "utf8").catch((error) => `no: ${error.code}`),
  context: ({ signal, emit, inbox, ...fields }) => fields,
  attempt: (context) => context.attempt,
  emitKey: ({ attempt, operationKey, emit }) => emit("key", { attempt, operationKey }),
  history: (context) => context.history,
  environment: (_, ...names) => names.map((name) => process.env[name] ?? null),
  // No answer contains a secret.
  environmentDigests: (_, ...names) =>
    names.map((name) =>
      createHash("sha256")
        .update(process.env[name] ?? "")
        .digest("hex"),
    ),
  environmentNames: () => Object.keys(process.env).sort(),
  version: () => process.version,
  emit: (context, name, data) => context.emit(name, data),
  tool: (context, name) => context.tool(name, {}, () => name),
  /** Runs another verb as a step, which first emits its operation key. */
  step: (context, name, verb, ...args) =>
    context.step(name, async (key) => {
      await context.emit(name, key);
      return verbs[verb](context, ...args);
    }),
  /** Waits for messages that steer the turn. */
  async listen({ inbox }, count) {
    const texts = [];
    for await (const { text } of inbox) if (texts.push(text) === count) break;
    return texts;
  },
  ask: (context, ...asked) => context.requestInput(...asked),
  // Ways to end.
  throw: (_, message) => {
    throw new Error(message);
  },
  throwUntil(context, attempt) {
    if (context.attempt < attempt) throw new Error(`attempt ${context.attempt}`);
  },
  exit: (_, code) => process.exit(code),
  exitUntil(context, attempt, code) {
    if (context.attempt < attempt) process.exit(code);
  },
  kill(_, signal) {
    process.kill(process.pid, signal);
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  forever: () => new Promise((resolve) => setTimeout(resolve, 600_000)),
  busy() {
    for (;;);
  },
  fill() {
    const kept = [];
    for (;;) kept.push(new Array(1000).fill(kept.length));
  },
  answer: (context, kind) => ({ answer: answers[kind] }),
  async print(_, bytes) {
    const line = `${"x".repeat(1023)}\n`;
    let written = 0;
    for (; written < bytes; written += line.length) {
      if (!process.stdout.write(line)) await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
    return written;
  },
  say(_, out, err) {
    console.log(out);
    console.error(err);
  },
  /** Calls a rendezvous and waits until the test releases it. */
  meet: async (_, url) => (await fetch(url)).text(),
  /** A grandchild in its own session that outlives its parent, if the sandbox allows it. */
  async daemon(_, mark, path) {
    const loop = `while :; do date > "${path}"; sleep 0.05; done # ${mark}`;
    spawn("sh", ["-c", `setsid sh -c '${loop}' </dev/null >/dev/null 2>&1 & exit 0`], { stdio: "ignore" });
    while (!(await fs.stat(path).catch(() => undefined))) await new Promise((resolve) => setTimeout(resolve, 10));
  },
};

const circular = {};
circular.self = circular;
const outside = { parts: [{ type: "file", path: "../../etc/passwd" }] };
const answers = {
  outside,
  circular,
  bigint: 1n,
  function: () => 1,
  parts: {
    parts: [
      { type: "text", text: "see" },
      { type: "file", path: "output/a.txt" },
    ],
  },
};

export async function agent(prompt, context) {
  const results = [];
  for (const [verb, ...args] of JSON.parse(prompt)) {
    const result = await verbs[verb](context, ...args);
    if (typeof result === "object" && result !== null && "answer" in result) return result.answer;
    results.push(result ?? null);
  }
  return JSON.stringify(results);
}

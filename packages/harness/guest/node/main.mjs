// The guest of Node agents: loads the entrypoint and runs one turn, speaking lines of JSON on descriptor 3 (docs in
// ../../README.md). Plain JavaScript without dependencies for Node 20 and later.

import { getEventListeners } from "node:events";
import { openChannel } from "./channel.mjs";
import { createContext } from "./context.mjs";
import { findExport, kindOf, runnerFor } from "./entrypoint.mjs";
import { TurnError, describeError } from "./errors.mjs";

const channel = openChannel(3);
const neverSettles =
  "the agent waits for something that can never happen: nothing is left that could settle its promise";

let canceller;
let reported = false;

async function report(frame) {
  if (reported) return;
  reported = true;
  await channel.send(frame);
}

async function run(frame, go) {
  const { value, kind } = await load(frame);
  const runner = runnerFor(kind, frame.entry, value);
  const { context, cancel } = createContext(frame, channel);
  canceller = cancel;
  await channel.send({ t: "started" });
  await go;
  // From here on the channel alone keeps nothing alive: an agent that waits for nothing ends, instead of timing out.
  channel.unref();
  process.on("beforeExit", () => {
    if (getEventListeners(context.signal, "abort").length > 0) channel.ref();
    else void report({ t: "error", code: "agent_error", message: neverSettles, stack: "" });
  });
  const parts = await runner(value, { prompt: frame.prompt, context, limits: frame.limits, channel });
  await report({ t: "result", parts });
  channel.ref();
}

async function load({ entry, imageDir }) {
  const value = await findExport(entry, imageDir);
  return { value, kind: kindOf(value) };
}

async function check(frame) {
  const { value, kind } = await load(frame);
  runnerFor(kind, frame.entry, value);
  await report({ t: "checked", kind });
}

async function main() {
  let allow;
  const go = new Promise((resolve) => (allow = resolve));
  const frames = {
    run: (frame) => attempt(run(frame, go)),
    check: (frame) => attempt(check(frame)),
    go: () => allow(),
    cancel: (frame) => canceller?.(frame.reason),
  };
  // An exception that nobody handles ends the process; say why first. Agents with a handler of their own keep it.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.listenerCount("uncaughtException") === 0) void report({ t: "error", ...describeError(error) });
  });
  channel.listen((frame) => frames[frame.t]?.(frame));
  await channel.send({ t: "ready", protocol: 1, runtime: `node ${process.versions.node}` });
}

function attempt(promise) {
  promise.catch((error) => {
    const described = error instanceof TurnError
      ? { code: error.code, message: error.message, stack: "" }
      : describeError(error);
    return report({ t: "error", ...described });
  });
}

await main();

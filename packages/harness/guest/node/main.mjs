// The guest of Node agents: loads the entrypoint and runs one turn, speaking lines of JSON on descriptor 3 (docs in
// ../../README.md). Plain JavaScript without dependencies for Node 20 and later.

import { getEventListeners } from "node:events";
import { openChannel, openTurn } from "./channel.mjs";
import { createContext } from "./context.mjs";
import { findExport, prepareRunner } from "./entrypoint.mjs";
import { TurnError, describeError } from "./errors.mjs";
import { useProxyVariables } from "./proxy-variables.mjs";
import { rehearse } from "./rehearse.mjs";

const channel = openChannel(3);
const neverSettles =
  "the agent waits for something that can never happen: nothing is left that could settle its promise";

/** What was loaded before there was a turn. */
let loaded;
let canceller;
/** What the turn has used at its model by now, as far as its runner can say. */
let usedByNow = () => undefined;
let reported = false;

async function report(frame) {
  if (reported) return;
  reported = true;
  await channel.send(frame);
}

/** What the agent still does, and that it waits for nothing else, is no answer any more. */
async function suspend(frame) {
  channel.ref();
  await report({ ...frame, usage: usedByNow() });
}

async function load(frame) {
  await useProxyVariables();
  const found = await findExport(frame.entry, frame.imageDir);
  return { found, runner: await prepareRunner(found, frame) };
}

async function loadAhead(frame) {
  loaded = rehearse().then(() => load(frame));
  await loaded;
  await channel.send({ t: "loaded" });
}

async function run(frame, go) {
  reported = false;
  usedByNow = () => undefined;
  // The turn's workspace may have taken the place of the directory that the process was started in.
  process.chdir(frame.workspace);
  const { found, runner } = await (loaded ??= load(frame));
  const turn = openTurn(channel);
  const { context, cancel } = createContext(frame, turn, (asked) => (turn.isOver ? undefined : suspend(asked)));
  canceller = cancel;
  await channel.send({ t: "started" });
  await go;
  // From here on the channel alone keeps nothing alive: an agent that waits for nothing ends, instead of timing out.
  channel.unref();
  const noteEnd = () => {
    if (getEventListeners(context.signal, "abort").length > 0) channel.ref();
    else void report({ t: "error", code: "agent_error", message: neverSettles, stack: "" });
  };
  process.on("beforeExit", noteEnd);
  const meter = (usage) => (usedByNow = () => ignoringErrors(usage));
  const given = { prompt: frame.prompt, context, limits: frame.limits, channel: turn, meter };
  const result = await runner(found.value, given);
  channel.ref();
  process.off("beforeExit", noteEnd);
  if (frame.again) leave(turn);
  await report({ t: "result", ...result });
}

/** Another turn may follow: nothing of this one is heard any more, and its directory is let go. */
function leave(turn) {
  turn.end();
  process.chdir("/");
}

/** The SDK's objects are the agent's to change. */
function ignoringErrors(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

async function check(frame) {
  const found = await findExport(frame.entry, frame.imageDir);
  await prepareRunner(found, frame);
  await report({ t: "checked", kind: found.kind });
}

async function main() {
  let allow;
  const frames = {
    run: (frame) => attempt(run(frame, new Promise((resolve) => (allow = resolve)))),
    load: (frame) => attempt(loadAhead(frame)),
    check: (frame) => attempt(check(frame)),
    go: () => allow?.(),
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
    return report({ t: "error", ...described, usage: usedByNow() });
  });
}

// Not awaited: a script, as which a worker runs all of this, has no await at its top level.
void main();

// The guest of Node agents: loads the entrypoint and runs one turn, with lines of JSON on descriptor 3 (see
// ../../README.md). Plain JavaScript without dependencies for Node 20 and later.

import { openChannel } from "./channel.mjs";
import { describeError } from "./errors.mjs";
import { Guest, loadOnceForAll } from "./guest.mjs";

async function main() {
  await takeBackFlags();
  const ready = { t: "ready", protocol: 1, runtime: `node ${process.versions.node}` };
  // The agent need not know how it was started.
  const [role, modulePath] = process.argv.splice(2);
  let loaded;
  if (role === "template") {
    const { loadOnce } = await import("./template.mjs");
    loaded = await loadOnce(modulePath, ready, loadOnceForAll);
  }
  const channel = openChannel(3);
  const guest = new Guest(channel, loaded && Promise.resolve(loaded));
  // An unhandled exception ends the process; report it first. Agents can still have their own handler.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.listenerCount("uncaughtException") === 0) guest.reportNow({ t: "error", ...describeError(error) });
  });
  channel.listen((frame) => guest.take(frame));
  await channel.send(ready);
  if (loaded !== undefined) await channel.send({ t: "loaded" });
}

/**
 * V8 flags for the agent's start must not apply to what it starts: child processes inherit those in `execArgv`, threads
 * the current ones. This process has its heap already, and code caches are made without the flags.
 */
async function takeBackFlags() {
  const flags = process.execArgv.splice(0);
  if (flags.length === 0) return;
  const { setFlagsFromString } = await import("node:v8");
  const ofHeap = flags.filter((flag) => flag.includes("space-size"));
  for (const flag of ofHeap) setFlagsFromString(flag.replace(/=.*/, "=0"));
}

// Not awaited: workers run this as one script, which has no top-level await.
void main();

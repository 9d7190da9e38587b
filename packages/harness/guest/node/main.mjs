// The guest of Node agents: loads the entrypoint and runs one turn, speaking lines of JSON on descriptor 3 (docs in
// ../../README.md). Plain JavaScript without dependencies for Node 20 and later.

import { openChannel } from "./channel.mjs";
import { describeError } from "./errors.mjs";
import { Guest } from "./guest.mjs";

async function main() {
  await takeBackFlags();
  const channel = openChannel(3);
  const guest = new Guest(channel);
  // An exception that nobody handles ends the process; say why first. Agents with a handler of their own keep it.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.listenerCount("uncaughtException") === 0) void guest.report({ t: "error", ...describeError(error) });
  });
  channel.listen((frame) => guest.take(frame));
  await channel.send({ t: "ready", protocol: 1, runtime: `node ${process.versions.node}` });
}

/**
 * Flags of V8 for the agent's start are not for what it starts itself: processes take over those that Node finds here,
 * threads those in force. This one has its room by now, and code caches are made without them.
 */
async function takeBackFlags() {
  const flags = process.execArgv.splice(0);
  if (flags.length === 0) return;
  const { setFlagsFromString } = await import("node:v8");
  for (const flag of flags) setFlagsFromString(flag.replace(/=.*/, "=0"));
}

// Not awaited: a script, as which a worker runs all of this, has no await at its top level.
void main();

// The guest of Node agents: loads the entrypoint and runs one turn, speaking lines of JSON on descriptor 3 (docs in
// ../../README.md). Plain JavaScript without dependencies for Node 20 and later.

import { openChannel } from "./channel.mjs";
import { describeError } from "./errors.mjs";
import { Guest } from "./guest.mjs";

async function main() {
  // Flags for the agent's start are not for what it starts itself: Node takes over those it finds here.
  process.execArgv.length = 0;
  const channel = openChannel(3);
  const guest = new Guest(channel);
  // An exception that nobody handles ends the process; say why first. Agents with a handler of their own keep it.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (process.listenerCount("uncaughtException") === 0) void guest.report({ t: "error", ...describeError(error) });
  });
  channel.listen((frame) => guest.take(frame));
  await channel.send({ t: "ready", protocol: 1, runtime: `node ${process.versions.node}` });
}

// Not awaited: a script, as which a worker runs all of this, has no await at its top level.
void main();

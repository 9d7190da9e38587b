// The one set-up command: `node scripts/run.mjs COMMAND [arguments]`. Needs Node and npm, nothing else: fetches
// a current Node where this one is old, installs, then runs the real program. scripts/commands.mjs has the commands.

import { commandNames, runCommand } from "./commands.mjs";
import { adviceFor, SetupError } from "./explain.mjs";
import { ensureInstalled } from "./install.mjs";
import { ensureNode } from "./node.mjs";
import { becomeNode } from "./spawn.mjs";

async function main() {
  const [name, ...args] = process.argv.slice(2);
  if (!commandNames.includes(name)) {
    throw new SetupError(`Usage: node scripts/run.mjs ${commandNames.join("|")} [arguments]`);
  }
  const node = await ensureNode();
  if (node !== process.execPath) {
    return becomeNode(node, [process.argv[1], name, ...args]);
  }
  await ensureInstalled();
  return runCommand(name, args);
}

try {
  process.exitCode = await main();
} catch (error) {
  const advice = error instanceof SetupError ? "" : adviceFor(String(error.code));
  if (!(error instanceof SetupError) && advice === "") throw error;
  process.stderr.write(`\n${[error.message, advice].filter(Boolean).join("\n\n")}\n`);
  process.exitCode = 1;
}

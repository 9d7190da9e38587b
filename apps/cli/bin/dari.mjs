#!/usr/bin/env node
// The `dari` command. Plain JavaScript, so that an old Node can still say what it lacks.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24) {
  const found = `Node ${process.versions.node} (${process.execPath})`;
  process.stderr.write(`dari needs Node 24 or newer; this is ${found}.\n`);
  process.exitCode = 2;
} else {
  const { main } = await import("../src/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}

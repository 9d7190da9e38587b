#!/usr/bin/env node
// The `dari` command as users install it, bundled into one file. Plain JavaScript, so that an old Node can still print
// what is missing.

const [major = 0] = process.versions.node.split(".").map(Number);
if (major < 20) {
  const found = `Node ${process.versions.node} (${process.execPath})`;
  process.stderr.write(`dari needs Node 20 or newer; this is ${found}. Run: npx --yes --package=node@22 -- dari\n`);
  process.exitCode = 2;
} else {
  // `using` and `await using` need them, and not every Node 20 has them.
  Symbol.dispose ??= Symbol.for("Symbol.dispose");
  Symbol.asyncDispose ??= Symbol.for("Symbol.asyncDispose");
  import("../src/main.ts")
    .then(({ main }) => main(process.argv.slice(2)))
    .then((code) => {
      process.exitCode = code;
    });
}

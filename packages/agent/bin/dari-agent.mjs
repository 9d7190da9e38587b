#!/usr/bin/env node
// Starts the `dari-agent` command.

import { main } from "../src/main.ts";

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  return 2;
});

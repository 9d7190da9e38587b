// The failed tests of a report of jest (`--json --outputFile`), with the first lines of their messages.
// Usage: node .ci/failed-tests.mjs REPORT [--paths]; --paths: prints only the suites, one a line.

import { readFileSync } from "node:fs";
import path from "node:path";

const linesMax = 14;

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const failed = testResults.filter(({ status }) => status === "failed");
for (const suite of failed) {
  const file = path.relative(process.cwd(), suite.name);
  if (process.argv[3] === "--paths") {
    process.stdout.write(`${file}\n`);
    continue;
  }
  const tests = suite.assertionResults.filter(({ status }) => status === "failed");
  const entries = tests.map(({ fullName, failureMessages }) => [fullName, failureMessages.join("\n")]);
  for (const [name, message] of entries.length > 0 ? entries : [["could not run", suite.message]]) {
    process.stdout.write(`${file}: ${name}\n${message.split("\n").slice(0, linesMax).join("\n")}\n\n`);
  }
}

// What jest's report (`--json --outputFile`) says failed: the suites' paths on stdout, the tests and the first lines of
// their messages on stderr. Usage: node .ci/failed-tests.mjs REPORT

import { readFileSync } from "node:fs";
import path from "node:path";

const linesMax = 14;

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const failed = testResults.filter(({ status }) => status === "failed");
for (const suite of failed) {
  const file = path.relative(process.cwd(), suite.name);
  process.stdout.write(`${file}\n`);
  const tests = suite.assertionResults.filter(({ status }) => status === "failed");
  const entries = tests.map(({ fullName, failureMessages }) => [fullName, failureMessages.join("\n")]);
  for (const [name, message] of entries.length > 0 ? entries : [["could not run", suite.message]]) {
    process.stderr.write(`${file}: ${name}\n${message.split("\n").slice(0, linesMax).join("\n")}\n\n`);
  }
}

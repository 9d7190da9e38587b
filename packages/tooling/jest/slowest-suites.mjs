// The table of the slowest suites: a reporter of jest (`npm test -- --slowest`), and a program that reads its reports:
// `node packages/tooling/jest/slowest-suites.mjs REPORT.json...` (of `--json --outputFile`).

import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const rowsMax = 30;

/** Returns the table of suites given as [file, milliseconds, number of tests]. */
function tableOf(suites) {
  const rows = [...suites].sort((a, b) => b[1] - a[1]).slice(0, rowsMax);
  const seconds = (ms) => (ms / 1000).toFixed(1).padStart(7);
  const total = suites.reduce((sum, [, ms]) => sum + ms, 0);
  return [
    `\nThe ${rows.length} slowest of ${suites.length} suites:\n`,
    "seconds   tests   suite",
    ...rows.map(([file, ms, tests]) => `${seconds(ms)} ${String(tests).padStart(7)}   ${path.relative("", file)}`),
    `${seconds(total)}           all suites, one after the other\n`,
  ].join("\n");
}

export default class SlowestSuites {
  onRunComplete(_contexts, { testResults }) {
    const suites = testResults.map((suite) => [suite.testFilePath, suite.perfStats.runtime, suite.testResults.length]);
    process.stderr.write(tableOf(suites));
  }
}

// .ci/run starts it with the Node of the machine, which may be 18.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
  const suites = reports.flatMap(({ testResults }) =>
    testResults.map((suite) => [suite.name, suite.endTime - suite.startTime, suite.assertionResults.length]),
  );
  process.stdout.write(tableOf(suites));
}

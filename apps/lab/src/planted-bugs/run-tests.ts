// Runs named tests of a checkout with jest and returns how each ended.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { escapePattern, type TestName } from "./plant.ts";

export interface TestEnd {
  readonly hasPassed: boolean;
  /** For a failed test: its error in one line. */
  readonly evidence: string;
}

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs files one after the other. A test that is missing from the result did not run. */
export async function runTests(
  root: string,
  tests: readonly TestName[],
  env: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, TestEnd>> {
  const report = join(root, "report.json");
  rmSync(report, { force: true });
  const names = tests.map(({ test }) => escapePattern(test)).join("|");
  const args = [
    join(root, "node_modules/jest/bin/jest.js"),
    `--rootDir=${root}`,
    `--cacheDirectory=${join(root, "jest-cache")}`,
    "--runInBand",
    "--json",
    `--outputFile=${report}`,
    `--testNamePattern=^(${names})$`,
    "--runTestsByPath",
    ...new Set(tests.map(({ file }) => join(root, file))),
  ];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4_000)));
  await once(child, "close");
  return endsOf(readReport(report, stderr));
}

function readReport(path: string, stderr: string): Report {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report;
  } catch (cause) {
    throw new Error(`jest gave no report:\n${stderr}`, { cause });
  }
}

function endsOf(report: Report): ReadonlyMap<string, TestEnd> {
  const ends = new Map<string, TestEnd>();
  for (const one of report.testResults.flatMap((file) => file.assertionResults)) {
    // The other tests of these files were skipped by name.
    if (one.status !== "passed" && one.status !== "failed") continue;
    ends.set(one.fullName, { hasPassed: one.status === "passed", evidence: evidenceOf(one.failureMessages) });
  }
  return ends;
}

const evidenceChars = 160;
const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** Returns the error or, for a failed expectation, the expected and the received value. */
function evidenceOf(messages: readonly string[]): string {
  const lines = (messages[0] ?? "").replaceAll(colours, "").split("\n");
  const telling = lines.filter(
    (line) => /^\s*[-+] +\S|^(Expected|Received):/.test(line) && !/- Expected|\+ Rec/.test(line),
  );
  const first = lines.find((line) => line.trim() !== "") ?? "";
  const text = (telling.length > 0 ? telling : [first]).map((line) => line.trim().replace(/\s+/g, " ")).join("  ");
  return text.length > evidenceChars ? `${text.slice(0, evidenceChars)}…` : text;
}

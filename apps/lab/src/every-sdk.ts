// Runs the agents of every SDK, in current and older versions, from their published packages: what tests leave out
// because it takes many minutes. Needs the package registries.
//
//   npm run lab -- every-sdk [pattern of test names]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { programEnvironment } from "./config.ts";
import { checkout } from "./program.ts";

const files = [
  "activity-anthropic",
  "activity-openai-agents",
  "activity-opencode",
  "init",
  "recorded-answers-sdks",
  "sdk-anthropic",
  "sdk-bundle-files",
  "sdk-openai-agents",
  "sdk-opencode",
  "steering",
].map((name) => `apps/lab/tests/${name}.matrix.test.ts`);
const [pattern] = process.argv.slice(2);
const jest = spawn(
  process.execPath,
  [
    join(checkout, "node_modules/jest/bin/jest.js"),
    "--runInBand",
    ...(pattern === undefined ? [] : ["--testNamePattern", pattern]),
    ...files,
  ],
  {
    cwd: checkout,
    stdio: "inherit",
    env: { ...programEnvironment(), DARI_TEST_RING: "matrix", DARI_TEST_SDKS: "all" },
  },
);
const [code] = (await once(jest, "exit")) as [number | null];
process.exitCode = code ?? 1;

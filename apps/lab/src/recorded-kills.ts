// Kills workers at random moments while agents with recorded answers run, and judges what became of each turn: its
// answer and files are those of an undisturbed turn, and the model was asked at most once more for each lost attempt.
// Prints a line for each seed, and fails if a turn is not as it must be.
//
//   npm run lab -- recorded-kills [--kills 500] [--seed 1] [--minutes 60] [--agents function,openai-js]
//
// --kills: attempts that lose their worker; --seed: the first one, to continue a run or to repeat a choice of moments;
// --minutes: begins no seed later than that; --agents: some of function, openai-js, openai-py, openai-fn, claude-js,
// claude-py, opencode and pi, of which all but the first need package registries.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { programEnvironment } from "./config.ts";
import { readFlags } from "./flags.ts";
import { checkout } from "./program.ts";

const flags = readFlags({
  kills: { type: "string", default: "500" },
  seed: { type: "string", default: "1" },
  minutes: { type: "string", default: "60" },
  agents: { type: "string", default: "function,openai-js" },
});
const kills = { kills: flags.whole("kills"), seed: flags.whole("seed", 0), minutes: flags.whole("minutes") };
const jest = spawn(
  process.execPath,
  [join(checkout, "node_modules/jest/bin/jest.js"), "apps/lab/tests/recorded-kills.nightly.test.ts"],
  {
    cwd: checkout,
    stdio: "inherit",
    env: {
      ...programEnvironment(),
      DARI_TEST_RING: "nightly",
      DARI_TEST_KILLS: JSON.stringify({ ...kills, agents: flags.values.agents.split(",") }),
    },
  },
);
const [code] = (await once(jest, "exit")) as [number | null];
process.exitCode = code ?? 1;

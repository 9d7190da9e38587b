// Proves that the step tests can fail: puts known bugs into a copy of the sources, one at a time, and runs the test
// that must find each. The same tests must pass without the bug.
//
//   npm run lab -- planted-bugs [--smoke] [--only "part of a name"]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "@dari/embedded";
import { machineEnvironment } from "./config.ts";
import { describeMachine } from "./machine.ts";
import { applyPlant, type Plant, type TestName } from "./planted-bugs/plant.ts";
import { plainTurn, plants } from "./planted-bugs/plants.ts";
import { runTests } from "./planted-bugs/run-tests.ts";
import { makeScratchCheckout } from "./planted-bugs/scratch-checkout.ts";
import { readFlags } from "./flags.ts";

const flags = readFlags({ smoke: { type: "boolean", default: false }, only: { type: "string", default: "" } });
const { values } = flags;
const chosen = plants.filter((plant) => (!values.smoke || plant.isSmoke) && plant.name.includes(values.only));
if (chosen.length === 0) flags.refuse(`no planted bug is named ${values.only}`);

interface Verdict {
  readonly plant: string;
  readonly isCaught: boolean;
  readonly caughtBy: string;
  readonly evidence: string;
}

/** Writes one line per bug for people, on stderr. The last line of stdout has the figures. */
const say = (...cells: string[]): void => void process.stderr.write(`${cells.join(" | ")}\n`);

const startedAt = performance.now();
await using stack = new AsyncDisposableStack();
const dir = mkdtempSync(join(tmpdir(), "dari-planted-db-"));
stack.defer(() => rmSync(dir, { recursive: true, force: true }));
const server = stack.use(await startPostgres({ dataDir: join(dir, "postgres"), fast: true }));
const { root } = stack.use(makeScratchCheckout());
const env = { ...machineEnvironment(), DARI_TEST_DATABASE_URL: server.url };

const faults = await faultsUnplanted();
const verdicts: Verdict[] = [];
if (faults.length === 0) {
  say("plant", "caught by", "evidence");
  for (const plant of chosen) {
    const verdict = await judge(plant);
    say(verdict.plant, verdict.isCaught ? verdict.caughtBy : "NOT CAUGHT", verdict.evidence);
    verdicts.push(verdict);
  }
}
const missed = verdicts.filter((verdict) => !verdict.isCaught);
const hasFailed = faults.length > 0 || missed.length > 0;

process.stdout.write(
  `${JSON.stringify({
    name: "planted-bugs",
    machine: describeMachine(),
    result: { plants: chosen.length, caught: verdicts.length - missed.length, faults_unplanted: faults, verdicts },
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    verdict: hasFailed ? "FAILED" : "passed",
  })}\n`,
);
process.exitCode = hasFailed ? 1 : 0;

/** Runs every such test on the unchanged sources. */
async function faultsUnplanted(): Promise<string[]> {
  const tests = [plainTurn, ...chosen.map((plant) => plant.caughtBy)];
  const ends = await runTests(root, tests, env);
  return tests.flatMap(({ test }) => {
    const end = ends.get(test);
    return end?.hasPassed === true ? [] : [`${test}: ${end?.evidence ?? "there is no such test"}`];
  });
}

async function judge(plant: Plant): Promise<Verdict> {
  const caughtBy = nameOf(plant.caughtBy);
  const says = (isCaught: boolean, evidence: string): Verdict => ({ plant: plant.name, isCaught, caughtBy, evidence });
  let takeOut: () => void;
  try {
    takeOut = applyPlant(root, plant);
  } catch (error) {
    return says(false, `the plant does not apply: ${error instanceof Error ? error.message : String(error)}`);
  }
  const ends = await runTests(root, [plainTurn, plant.caughtBy], env);
  takeOut();
  const plain = ends.get(plainTurn.test);
  if (plain?.hasPassed !== true) return says(false, `a plain turn fails too: ${plain?.evidence ?? "it did not run"}`);
  const end = ends.get(plant.caughtBy.test);
  if (end === undefined) return says(false, "its test did not run");
  return says(!end.hasPassed, end.hasPassed ? "its test passed" : end.evidence);
}

function nameOf({ file, test }: TestName): string {
  return `${file.split("/").at(-1)}: ${test}`;
}

// Runs Schemathesis against a whole platform: calls that the OpenAPI document allows, calls that it forbids, and chains
// of calls, with an organization's admin key. Fails for a 5xx, for a status, header or content type that the document
// does not list, for a body that its schema does not describe, and for a refusal of what it allows.
//
//   npm run lab -- schemathesis [--smoke] [--seconds 600] [--seed 1] [--keep DIRECTORY]
//
// --smoke: 60 s. --seed: repeats an earlier run's choices. --keep: leaves its settings and its report there.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readFlags } from "./flags.ts";
import { describeMachine } from "./machine.ts";
import { renderConfig } from "./schemathesis/config.ts";
import { installSchemathesis, runSchemathesis } from "./schemathesis/install.ts";
import { judge } from "./schemathesis/verdict.ts";
import { setStage } from "./schemathesis/stage.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  seconds: { type: "string" },
  seed: { type: "string" },
  keep: { type: "string" },
});
const { values } = flags;
const seconds = flags.number("seconds") === undefined ? (values.smoke ? 60 : 600) : flags.whole("seconds");
const seed = flags.number("seed") === undefined ? Math.ceil(Math.random() * 2 ** 31) : flags.whole("seed");
/** Enough for every operation. */
const wholeSeconds = 300;
const program = await installSchemathesis();
await using stack = new AsyncDisposableStack();
const dir = values.keep ?? (await mkdtemp(path.join(tmpdir(), "dari-schemathesis-")));
if (values.keep === undefined) stack.defer(() => rm(dir, { recursive: true, force: true }));
await mkdir(dir, { recursive: true });
const stage = stack.use(await setStage());
const configFile = path.join(dir, "schemathesis.toml");
await writeFile(configFile, renderConfig(stage), { mode: 0o600 });
process.stderr.write(`schemathesis for ${seconds} s on ${stage.apiUrl}, seed ${seed}\n`);
const reportFile = path.join(dir, "report.json");
const output = await runSchemathesis(program, { configFile, reportFile, dir, stage, seconds, seed });
const report: unknown = JSON.parse(await readFile(reportFile, "utf8"));
const judgement = judge(report, await stage.serverErrors(), seconds >= wholeSeconds);
if (judgement.failures.length > 0) process.stderr.write(`${output}\n${judgement.failures.join("\n")}\n`);
const verdict = judgement.failures.length === 0 ? "passed" : "failed";
const line = { name: "schemathesis", machine: describeMachine(), seconds, seed, result: judgement.result, verdict };
process.stdout.write(`${JSON.stringify(line)}\n`);
process.exitCode = judgement.failures.length === 0 ? 0 : 1;

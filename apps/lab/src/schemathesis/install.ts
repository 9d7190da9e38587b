// Schemathesis itself, and one run of it.

import { run } from "../curl.ts";
import { pythonEnvironment } from "../python-environment.ts";
import type { Stage } from "./stage.ts";

/** Each version knows other checks: a newer one may find what this one does not. */
const requirement = "schemathesis==4.32.5";

/** The program's path. */
export async function installSchemathesis(): Promise<string> {
  return (await pythonEnvironment("schemathesis", [requirement])).program("schemathesis");
}

export interface SchemathesisRun {
  readonly configFile: string;
  /** Where it writes what it found, as JSON. */
  readonly reportFile: string;
  readonly dir: string;
  readonly stage: Stage;
  readonly seconds: number;
  readonly seed: number;
}

/** Runs it to its end and returns what it printed; what it found is in the report. */
export async function runSchemathesis(program: string, options: SchemathesisRun): Promise<string> {
  const { stage, seconds, seed } = options;
  const words = ["--config-file", options.configFile, "run", `${stage.apiUrl}/openapi.json`, "--no-color"];
  const bounds = ["--max-time", String(seconds), "--seed", String(seed), "--continue-on-failure"];
  const report = ["--report", "json", "--report-json-path", options.reportFile];
  const env = {
    SCHEMATHESIS_HOOKS: "hooks",
    PYTHONPATH: import.meta.dirname,
    PYTHONDONTWRITEBYTECODE: "1",
    DARI_KEPT: stage.kept.join(","),
    DARI_RECEIVER: stage.receiverUrl,
  };
  const { code, stdout, stderr } = await run(program, [...words, ...bounds, ...report], { cwd: options.dir, env });
  // 1: it has found something, which the report says.
  if (code !== 0 && code !== 1) throw new Error(`schemathesis ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

// Installs and runs Schemathesis.

import { run } from "../curl.ts";
import { pythonEnvironment } from "../python-environment.ts";
import type { Stage } from "./stage.ts";

/** Pinned, because each version has different checks. */
const requirement = "schemathesis==4.32.5";

/** Returns the program's path. */
export async function installSchemathesis(): Promise<string> {
  return (await pythonEnvironment("schemathesis", [requirement])).program("schemathesis");
}

export interface SchemathesisRun {
  readonly configFile: string;
  /** Where it writes its findings, as JSON. */
  readonly reportFile: string;
  readonly dir: string;
  readonly stage: Stage;
  readonly seconds: number;
  readonly seed: number;
}

/** Runs it and returns its output. The findings are in the report. */
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
  // 1: it has findings, which are in the report.
  if (code !== 0 && code !== 1) throw new Error(`schemathesis ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

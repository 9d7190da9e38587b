// Python programs for tests and checks: pinned packages in virtual environments below .cache, created on first use.

import { access, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { run, type ProgramOutput } from "./curl.ts";
import { checkout } from "./program.ts";

export interface PythonEnvironment {
  /** Returns the path of one of its programs: `python`, or one of a package. */
  program(name: string): string;
}

/**
 * Returns the environment with exactly these packages, each as `name==version`. Two concurrent first calls conflict.
 * @throws if Python or its venv module is missing, or a package cannot be installed.
 */
export async function pythonEnvironment(name: string, packages: readonly string[]): Promise<PythonEnvironment> {
  const mark = packages.join("_").replaceAll("==", "-");
  const home = path.join(checkout, ".cache", `python-${name}`, mark);
  const whole = path.join(home, "complete");
  if (!(await exists(whole))) {
    process.stderr.write(`installing ${packages.join(" ")} into ${home}\n`);
    await rm(home, { recursive: true, force: true });
    await mkdir(path.dirname(home), { recursive: true });
    await runOrThrow("python3", ["-m", "venv", home]);
    await runOrThrow(path.join(home, "bin", "pip"), ["install", "--quiet", ...packages]);
    await writeFile(whole, "");
  }
  return { program: (program) => path.join(home, "bin", program) };
}

/** Runs a program that must succeed. @throws with its output */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<ProgramOutput> {
  const output = await run(command, args, options);
  if (output.code === 0) return output;
  throw new Error(`${command} ${args.join(" ")} ended with ${output.code}:\n${output.stdout}\n${output.stderr}`);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

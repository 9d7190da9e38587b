// What each command runs once everything is installed.

import { cpus } from "node:os";
import { buildConsoleInBackground, ensureConsole } from "./console.mjs";
import { at } from "./paths.mjs";
import { pnpmCommand } from "./install.mjs";
import { homeEnv, runForeground, runNode, say } from "./spawn.mjs";

const { execPath } = process;

const commands = {
  quickstart: (args) => runNode(execPath, [at("apps/standalone/src/quickstart.ts"), ...args]),
  start: (args) => {
    buildConsoleInBackground();
    return runNode(execPath, [at("apps/standalone/src/main.ts"), ...args]);
  },
  backup: (args) => runNode(execPath, [at("apps/standalone/src/backup/main.ts"), ...args]),
  console: async () => {
    await ensureConsole();
    return 0;
  },
  // npm changes to the checkout; paths that a user types mean the directory they typed them in.
  dari: (args) => runNode(execPath, [at("apps/cli/bin/dari.mjs"), ...args], { cwd: process.env.INIT_CWD }),
  // Chaos and benchmarks by their path below apps/lab/src: `npm run lab -- chaos/run --smoke`.
  lab: ([program = "", ...args]) =>
    runNode(execPath, ["--disable-warning=ExperimentalWarning", at(`apps/lab/src/${program}.ts`), ...args]),
  test: (args) => {
    // As arguments, not as NODE_OPTIONS: jest hands them to its workers, and the programs under test stay untouched.
    const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
    const workers = args.some((arg) => /^(-w|-i|--maxWorkers|--runInBand)/.test(arg)) ? [] : ["--maxWorkers=2"];
    return runForeground(execPath, [...flags, at("node_modules/jest/bin/jest.js"), ...workers, ...args]);
  },
  check: async (args) => {
    // turbo runs each package's script through pnpm and wants it on the PATH.
    const turboBin = at("node_modules/turbo/bin/turbo");
    const flags = [`--concurrency=${cpus().length}`, "--output-logs=errors-only"];
    const [command, ...turbo] = pnpmCommand([execPath, turboBin, "run", "typecheck", ...flags, ...args]);
    const typecheck = await runForeground(command, turbo, { env: { ...homeEnv(), TURBO_TELEMETRY_DISABLED: "1" } });
    // In halves: the types of all members at once take more memory than Node gives a process. Side by side: a half
    // keeps one core busy.
    const eslint = at("node_modules/eslint/bin/eslint.js");
    const halves = ["apps", "packages"].map((half) => runForeground(execPath, [eslint, at(half)]));
    const lint = (await Promise.all(halves)).find((code) => code !== 0) ?? 0;
    say(`typecheck ${typecheck === 0 ? "passed" : "failed"}, lint ${lint === 0 ? "passed" : "failed"}`);
    return typecheck || lint;
  },
};

export const commandNames = Object.keys(commands);

/** Runs the command in the foreground and returns its exit code. */
export const runCommand = (name, args) => commands[name](args);

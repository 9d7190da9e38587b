// What each command runs once everything is installed.

import { availableParallelism } from "node:os";
import { bubblewrapEnv } from "./bubblewrap.mjs";
import { buildInBackground, consolePages, ensureBuilt, isMissing, packages } from "./outputs.mjs";
import { at } from "./paths.mjs";
import { pnpmCommand } from "./install.mjs";
import { platformEnv } from "./platform-env.mjs";
import { becomeNode, homeEnv, runForeground, runNode } from "./spawn.mjs";

const { execPath } = process;

const rings = ["matrix", "nightly"];

const commands = {
  quickstart: async (args) =>
    becomeNode(execPath, [at("apps/standalone/src/quickstart.ts"), ...args], { env: await bubblewrapEnv() }),
  start: async (args) => {
    const program = [at("apps/standalone/src/main.ts"), ...args];
    const missing = [consolePages, packages].filter(isMissing);
    if (missing.length === 0) return becomeNode(execPath, program, { env: await platformEnv() });
    buildInBackground(missing).catch(({ message }) => process.stderr.write(`${message}\n`));
    return runNode(execPath, program, { env: await platformEnv() });
  },
  backup: (args) => runNode(execPath, [at("apps/standalone/src/backup/main.ts"), ...args]),
  console: async () => {
    await ensureBuilt(consolePages);
    return 0;
  },
  packages: async () => {
    await ensureBuilt(packages);
    return 0;
  },
  // It lists components with pnpm.
  release: (args) => {
    const program = [execPath, at("packages/packaging/src/release/main.ts"), ...args];
    const [command, ...rest] = pnpmCommand(program);
    return runForeground(command, rest, { env: { ...homeEnv(), NODE_ENV: "production" } });
  },
  // npm changes to the checkout; paths that a user types mean the directory they typed them in.
  dari: (args) => runNode(execPath, [at("apps/cli/bin/dari.mjs"), ...args], { cwd: process.env.INIT_CWD }),
  // Chaos and benchmarks by their path below apps/lab/src: `npm run lab -- chaos/run --smoke`.
  lab: ([program = "", ...args]) =>
    runNode(execPath, ["--disable-warning=ExperimentalWarning", at(`apps/lab/src/${program}.ts`), ...args]),
  // A path that names a suite of another ring runs it.
  test: (args) =>
    runJest(
      args,
      rings.find((ring) => args.some((arg) => arg.includes(`.${ring}`))),
    ),
  "test:matrix": (args) => runJest(args, "matrix"),
  "test:nightly": (args) => runJest(args, "nightly"),
  check: (args) => {
    // All members as one program, so that each file is read once; the console alone knows the browser. One check after
    // the other: each keeps all cores busy. What has not changed since it passed is not checked again.
    const checks = ["types", "console", "lint", "format"].map((name) => `//#check:${name}`);
    const flags = ["--concurrency=1", "--output-logs=errors-only", "--ui=stream", ...args];
    // turbo runs each script through pnpm and wants it on the PATH.
    const [command, ...turbo] = pnpmCommand([execPath, at("node_modules/turbo/bin/turbo"), "run", ...checks, ...flags]);
    return runForeground(command, turbo, { env: { ...homeEnv(), TURBO_TELEMETRY_DISABLED: "1" } });
  },
};

// Tests wait for services and programs half of their time, so there are twice as many of them as cores.
function runJest(args, ring = "default") {
  const hasWorkers = args.some((arg) => /^(-w|-i|--maxWorkers|--runInBand)/.test(arg));
  const workers = hasWorkers ? [] : [`--maxWorkers=${availableParallelism() * 2}`];
  // Last, because jest takes the paths that follow for further reporters.
  const reporters = ["default", at("packages/tooling/jest/slowest-suites.mjs")].map((name) => `--reporters=${name}`);
  const last = args.includes("--slowest") ? reporters : [];
  const given = args.filter((arg) => arg !== "--slowest");
  const jest = [at("node_modules/jest/bin/jest.js"), ...workers, ...given, ...last];
  return runForeground(execPath, jest, { env: { DARI_TEST_RING: ring } });
}

export const commandNames = Object.keys(commands);

/** Runs the command in the foreground and returns its exit code. */
export const runCommand = (name, args) => commands[name](args);

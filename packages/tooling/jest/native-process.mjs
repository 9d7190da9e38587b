// A process of test files: runs each with jest's own test framework on Node's own modules, and sends the result.

import { createRequire, registerHooks } from "node:module";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";

// The parent has ended, and with it the services; or no other file may run here. Ends whatever a test left open.
process.once("disconnect", () => process.exit());
// More than Node's default of ten, because the failing call is often far below the test's own.
Error.stackTraceLimit = 100;

// Modules stay loaded between files, so what they import must call the globals of the file that runs.
const names = ["afterAll", "afterEach", "beforeAll", "beforeEach", "describe", "expect", "it", "test"];
const forwarded = (name) => `export const ${name} = new Proxy(() => {}, {
  get: (_, property) => globalThis.${name}[property],
  apply: (_, self, values) => globalThis.${name}(...values),
});`;
const source = encodeURIComponent(names.map(forwarded).join("\n"));
const globals = { url: `data:text/javascript,${source}`, shortCircuit: true };
registerHooks({ resolve: (name, context, next) => (name === "@jest/globals" ? globals : next(name, context)) });

const framework = "/jest-circus/";

/** Returns a copy of jest's framework without the state of an earlier file. */
function loadFramework(config) {
  const require = createRequire(config.testRunner);
  for (const name of Object.keys(require.cache).filter((file) => file.includes(framework))) delete require.cache[name];
  delete globalThis[Symbol.for("EVENT_HANDLERS")];
  return require;
}

/** Returns what jest's framework needs of its runtime. It sets the globals before it imports the file. */
const runtimeFor = (require) => ({
  requireInternalModule: require,
  requireModule: require,
  unstable_shouldLoadAsEsm: () => true,
  unstable_importModule: (name) => import(pathToFileURL(name).href),
  setGlobalsForRuntime() {},
  enterTestCode() {},
  leaveTestCode() {},
});

async function run({ globalConfig, config, path: file }) {
  const start = Date.now();
  const require = loadFramework(config);
  const runFile = require(config.testRunner).default;
  const result = await runFile(globalConfig, config, { global: globalThis }, runtimeFor(require), file);
  const end = Date.now();
  const ran = result.numPassingTests + result.numFailingTests;
  return {
    ...result,
    // These contain the compared values, which cannot always be sent. The messages show them.
    testResults: result.testResults.map((test) => ({ ...test, failureDetails: [] })),
    perfStats: { ...result.perfStats, start, end, runtime: end - start, slow: false },
    testFilePath: file,
    skipped: ran === 0,
    leaks: false,
  };
}

const environment = { ...process.env };

/** A connection that a test has closed takes a moment to be gone. */
const leftoversWaitMs = 500;
/** A process that has grown this large is slow to start children. */
const reusableBytesMax = 1024 ** 3;

/** Returns whether the next file finds this process as this one did. What a test left open ends with the process. */
async function isClean() {
  if (process.memoryUsage.rss() > reusableBytesMax) return false;
  const env = Object.entries(process.env);
  if (env.length !== Object.keys(environment).length) return false;
  if (env.some(([name, value]) => environment[name] !== value)) return false;
  const end = Date.now() + leftoversWaitMs;
  while (Date.now() < end) {
    await setTimeout(10);
    const open = process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap" && name !== "Immediate");
    if (open.length === 0) return true;
  }
  return false;
}

process.on("message", async (work) => {
  const answer = await run(work).then(
    async (result) => ({ result, isReusable: result.numFailingTests === 0 && (await isClean()) }),
    ({ message, stack }) => ({ error: { message, stack } }),
  );
  process.send(answer);
});

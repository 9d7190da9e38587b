// The process of one test file: runs it with jest's own test framework on Node's own modules, and sends the result.

import { once } from "node:events";
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const [{ globalConfig, config, path: file }] = await once(process, "message");
// The parent has ended, and with it the services.
process.once("disconnect", () => process.exit(1));
// More than Node's default of ten, because the failing call is often far below the test's own.
Error.stackTraceLimit = 100;

const names = ["afterAll", "afterEach", "beforeAll", "beforeEach", "describe", "expect", "it", "test"];
const source = `export const { ${names.join(", ")} } = globalThis;`;
const globals = { url: `data:text/javascript,${source}`, shortCircuit: true };
registerHooks({ resolve: (name, context, next) => (name === "@jest/globals" ? globals : next(name, context)) });

const require = createRequire(config.testRunner);

/** What jest's framework needs of its runtime. It sets the globals before it imports the file. */
const runtime = {
  requireInternalModule: require,
  requireModule: require,
  unstable_shouldLoadAsEsm: () => true,
  unstable_importModule: (name) => import(pathToFileURL(name).href),
  setGlobalsForRuntime() {},
  enterTestCode() {},
  leaveTestCode() {},
};

async function run() {
  const start = Date.now();
  const framework = require(config.testRunner).default;
  const result = await framework(globalConfig, config, { global: globalThis }, runtime, file);
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

const answer = await run().then(
  (result) => ({ result }),
  ({ message, stack }) => ({ error: { message, stack } }),
);
// Ends whatever a test left open.
process.send(answer, () => process.exit());

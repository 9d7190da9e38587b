// Requests the URLs in its arguments in each way that an agent may, with proxy variables applied by the guest; also in
// a child process and a thread. Prints what was loaded before the first use, and the answers.

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { useProxyVariables } from "../../guest/node/proxy-variables.mjs";

await useProxyVariables();
const isLoaded = (name) => process.moduleLoadList.some((loaded) => loaded.endsWith(` ${name}`));
const loadedAtStart = ["internal/deps/undici/undici", "https"].filter(isLoaded);
// Looks for the dispatcher like a second copy of fetch's implementation in a package.
const seenByOthers = globalThis[Symbol.for("undici.globalDispatcher.1")] !== undefined;

const require = createRequire(import.meta.url);
const ask = (url) =>
  new Promise((resolve) => {
    const asked = require(url.startsWith("https:") ? "node:https" : "node:http").get(url, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    });
    asked.once("error", (error) => resolve(error.message));
  });
const why = "(error) => (error.cause.cause ?? error.cause).message";
const byFetch = `fetch(process.argv.at(-1)).then((response) => response.text(), ${why})`;
const inChild = async (url) => {
  const script = `${byFetch}.then((text) => process.stdout.write(text))`;
  return (await promisify(execFile)(process.execPath, ["-e", script, "--", url])).stdout;
};
const inThread = (url) =>
  new Promise((resolve) => {
    const script = `${byFetch}.then((text) => require("node:worker_threads").parentPort.postMessage(text))`;
    new (require("node:worker_threads").Worker)(script, { eval: true, argv: [url] }).once("message", resolve);
  });
const ways = {
  fetch: (url) =>
    fetch(url)
      .then((response) => response.text())
      .catch((error) => (error.cause.cause ?? error.cause).message),
  request: ask,
  child: inChild,
  thread: inThread,
};

const said = [];
for (const [way, url] of JSON.parse(process.argv[2])) said.push(await ways[way](url));
process.stdout.write(JSON.stringify({ loadedAtStart, seenByOthers, said }));
process.exit(0);

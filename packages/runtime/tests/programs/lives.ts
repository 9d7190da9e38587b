// A program for the tests of runMain: its first argument selects its behaviour. Prints what happens to it.

import { createServer } from "node:net";
import { waitForAbort, ConfigError, runMain } from "../../src/index.ts";

const behaviour = process.argv[2];

await runMain(
  async (signal, stack) => {
    stack.defer(() => console.log("closed first opened"));
    stack.defer(() => console.log("closed last opened"));
    if (behaviour === "throws") throw new Error("boom", { cause: new Error("at postgres://a:hunter2@h/db") });
    if (behaviour === "config") throw new ConfigError([{ env: "PORT", message: "is required" }]);
    if (behaviour === "returns") return;
    console.log("ready");
    await waitForAbort(signal);
    console.log("draining");
    if (behaviour === "stuck") await Promise.withResolvers<void>().promise;
    if (behaviour === "patient") await waitForAbort(new AbortController().signal);
    if (behaviour === "forgets-a-timer") void waitForAbort(new AbortController().signal);
    if (behaviour === "leaks") createServer().listen(0, "127.0.0.1");
    if (behaviour === "stuck-in-close") stack.defer(() => Promise.withResolvers<void>().promise);
    if (behaviour === "rethrows") signal.throwIfAborted();
  },
  { graceMs: behaviour === "patient" ? 60_000 : 300, lingerMs: 300, echoMs: behaviour === "patient" ? 0 : 60_000 },
);

if (behaviour?.startsWith("stuck")) throw new Error("not reached");

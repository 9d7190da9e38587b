// A program below npm notices the end of npm, and nothing else, such as the end of the shell that started npm.

import { expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { waitUntil } from "@dari/testkit";
import { checkout } from "../src/program.ts";

/** Checks once per byte from the test, and ends with the test. */
const program = `
import { Socket } from "node:net";
import { mock } from "node:test";
import { watchNpm } from "${pathToFileURL(path.join(checkout, "scripts/npm-watch.mjs")).href}";
mock.timers.enable({ apis: ["setTimeout"] });
let isGone = false;
watchNpm(() => (isGone = true));
new Socket({ fd: 3 }).on("data", () => {
  mock.timers.tick(1_100);
  console.log(isGone ? "npm is gone" : "npm is there");
}).on("close", () => process.exit());
console.log("watching below " + process.env.NPM_PID);
`;
/** Runs a script with a shell, as npm does. */
const npm = `
const env = { npm_lifecycle_event: "start", npm_node_execpath: process.execPath, NPM_PID: process.pid };
const options = { env: { ...process.env, ...env }, stdio: ["inherit", "inherit", "inherit", 3] };
require("node:child_process").spawn("sh", ["-c", process.argv[1]], options);
`;

test.each([
  ["npm's shell becomes the program", 'exec "$NODE" --input-type=module -e "$PROGRAM"'],
  ["npm's shell stays", '"$NODE" --input-type=module -e "$PROGRAM"; true'],
])("the end of npm is noticed, and a logout is not: %s", async (_title, script) => {
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program, NPM: npm, SCRIPT: script };
  const login = spawn("sh", ["-c", 'nohup "$NODE" -e "$NPM" "$SCRIPT" & read -r line'], {
    env,
    stdio: ["pipe", "pipe", "inherit", "pipe"],
  });
  const checks = login.stdio[3] as Writable;
  let output = "";
  const says = (pattern: RegExp) => waitUntil(() => pattern.exec(output)?.[1], { what: `${pattern}` });
  login.stdout!.on("data", (chunk: Buffer) => (output += String(chunk)));
  try {
    const npmPid = Number(await says(/watching below (\d+)/));
    const exited = once(login, "exit");
    login.stdin!.end();
    await exited;
    checks.write("1");
    expect(await says(/npm is (\w+)\n/)).toBe("there");
    process.kill(npmPid, "SIGKILL");
    // The signal takes effect a moment later.
    await waitUntil(() => checks.write("2") && output.includes("npm is gone"), { what: "npm to be gone" });
  } finally {
    checks.destroy();
  }
});

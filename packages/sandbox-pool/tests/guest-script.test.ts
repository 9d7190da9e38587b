// The guest of Node agents as one script: agents see no difference, and a changed script is not run.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleNodeGuest } from "@dari/builder";
import { guestCommand, nodeGuestMain, type TurnEnding } from "@dari/harness";
import { createBwrapDriver } from "@dari/sandbox";
import { noGuestScript, openGuestScript, type GuestScript } from "../src/guest-script.ts";
import { playAgent, textOf, type Play } from "./play-agent.ts";

const driver = createBwrapDriver();
const root = mkdtempSync(join(tmpdir(), "guest-script-"));
const imageDir = join(root, "image");
const dir = join(root, "guest");
const nodes = [process.execPath, "/usr/bin/node", "/usr/local/bin/node"].filter((path) => existsSync(path));
const interpreters = [...new Set(nodes.map((path) => realpathSync(path)))];

const sources = {
  "agent.mjs": `
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import common from "./common.cjs";
export const places = async () => ({
  own: import.meta.url,
  text: readFileSync(new URL("./agent.mjs", import.meta.url), "utf8").length,
  later: (await import("./later.mjs")).file,
  common,
  main: String(process.mainModule),
  loaded: basename(fileURLToPath(import.meta.url)),
});
export async function* streams() { yield "a"; yield "b"; }
export const throws = () => {
  throw new RangeError("too far");
};
export const asks = () => fetch("http://one.example/").then((answer) => answer.text(), (error) => String(error.cause));
class Agent { name = "helper"; }
export const agent = new Agent();
export const options = {};
`,
  "agent.dari.load.cjs": `
const v8 = require("node:v8");
const { once } = require("node:events");
const { Worker } = require("node:worker_threads");
const size = 'require("node:v8").getHeapSpaceStatistics().find((one) => one.space_name === "new_space").space_size';
const thread = 'require("node:worker_threads").parentPort.postMessage(' + size + ')';
exports.startedWith = async () => {
  const [threads] = await once(new Worker(thread, { eval: true }), "message");
  return { execArgv: process.execArgv, own: eval(size), threads, tag: v8.cachedDataVersionTag() };
};
`,
  "later.mjs": `export const file = import.meta.filename ?? new URL(import.meta.url).pathname;`,
  "common.cjs": `
const seesGuest = Object.keys(require.cache).some((file) => /main.[cm]js$/.test(file));
const isSloppy = (function () { return this !== undefined; })();
module.exports = { main: String(require.main), seesGuest, file: __filename, isSloppy };
`,
};

interface Line {
  readonly event: string;
  readonly fields: object;
}
let lines: Line[];
const log = { warn: (fields: object, event: string) => void lines.push({ event, fields }) };
const openScript = (bundle = bundleNodeGuest): Promise<GuestScript> => openGuestScript({ dir, bundle, log });

beforeAll(() => {
  mkdirSync(imageDir);
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(imageDir, name), text);
});

beforeEach(() => {
  lines = [];
  rmSync(dir, { recursive: true, force: true });
});

afterAll(() => rmSync(root, { recursive: true }));

const play = (script: GuestScript, exportName: string, o: Omit<Play, "exportName"> = {}): Promise<TurnEnding> =>
  playAgent(driver, { root, imageDir }, { exportName, nodeScript: script.path(), sdk: "pi", ...o });

describe.each(interpreters)("%s", (interpreter) => {
  test.each(["places", "streams", "asks"])("%s: an agent sees the same as with the guest's modules", async (name) => {
    const script = await openScript();
    const [bundled, plain] = await Promise.all(
      [script, noGuestScript].map((each) => play(each, name, { interpreter })),
    );
    expect(textOf(bundled!)).toBe(textOf(plain!));
    expect(script.path()).toBe(join(dir, "main.cjs"));
    expect(lines).toEqual([]);
  });

  test("a bundled agent has space to load in, and does not see where it comes from", async () => {
    const ending = await play(await openScript(), "startedWith", { interpreter, file: "agent.dari.load.cjs" });
    const { own, threads, ...seen } = JSON.parse(textOf(ending)) as Record<string, unknown>;
    const room = 48 * 1024 ** 2;
    expect([Number(own) >= room, Number(threads) < room]).toEqual([true, true]);
    // The requirements of a code cache are the same as without.
    const tag = execFileSync(interpreter, ["-p", 'require("node:v8").cachedDataVersionTag()'], { encoding: "utf8" });
    expect(seen).toEqual({ execArgv: [], tag: Number(tag) });
  });

  test("an error's stack names the agent's line", async () => {
    const ending = await play(await openScript(), "throws", { interpreter });
    expect(ending).toMatchObject({ kind: "failed", failure: { code: "agent_error", message: "RangeError: too far" } });
    expect(JSON.stringify(ending)).toContain("/agent/agent.mjs:16:9");
  });

  test.each([
    ["agent", "pi", "@openai/agents"],
    ["options", "claude-agent-sdk", "@anthropic-ai/claude-agent-sdk"],
  ])("what runs %s is loaded when it is needed, and says what is missing", async (name, sdk, missing) => {
    const ending = await play(await openScript(), name, { interpreter, sdk });
    expect(ending).toMatchObject({ kind: "failed", failure: { code: "unsupported_export" } });
    expect(JSON.stringify(ending)).toContain(missing);
  });
});

test("if the script cannot be bundled, the guest's modules run and the log says why", async () => {
  const script = await openScript(() => Promise.reject(new Error("no esbuild here")));
  expect(lines).toEqual([{ event: "guest.not_bundled", fields: { reason: "no esbuild here" } }]);
  expect(script.path()).toBeUndefined();
  expect(guestCommand("typescript", process.execPath, { nodeScript: script.path() }).argv[1]).toBe(nodeGuestMain);
  expect(textOf(await play(script, "streams"))).toBe("ab");
});

test("if it cannot be written, the guest's modules run as well", async () => {
  writeFileSync(join(root, "file"), "");
  const script = await openGuestScript({ dir: join(root, "file/guest"), bundle: bundleNodeGuest, log });
  expect(script.path()).toBeUndefined();
  expect(lines).toMatchObject([{ event: "guest.not_bundled" }]);
});

test("a file or link that was planted before the start is neither run nor followed", async () => {
  const victim = join(root, "victim");
  writeFileSync(victim, "precious");
  mkdirSync(dir);
  for (const name of ["main.cjs", "main.cjs.partial"]) symlinkSync(victim, join(dir, name));
  writeFileSync(join(dir, "package.json"), `{"type": "module"}`);
  const script = await openScript();
  expect(readFileSync(victim, "utf8")).toBe("precious");
  expect(readdirSync(dir)).toEqual(["main.cjs"]);
  expect(textOf(await play(script, "streams"))).toBe("ab");
});

test.each<[string, (file: string) => void]>([
  ["written to", (file) => (chmodSync(file, 0o644), writeFileSync(file, "process.exit(7)"))],
  ["replaced by its copy", (file) => (copyFileSync(file, `${file}.copy`), renameSync(`${file}.copy`, file))],
  ["taken away", (file) => rmSync(file)],
])("a script that was %s is not run again", async (_, change) => {
  const script = await openScript();
  change(script.path()!);
  expect(textOf(await play(script, "streams"))).toBe("ab");
  expect(script.path()).toBeUndefined();
  expect(lines).toEqual([{ event: "guest.script_changed", fields: { file: join(dir, "main.cjs") } }]);
});

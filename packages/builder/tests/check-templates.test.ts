// Checks that are forked from what has loaded a layer's packages: they answer as those that load them do, and nothing
// of one organization is in another's.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { readdir } from "node:fs/promises";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckTemplates, type CheckTemplates } from "../src/index.ts";
import { manifest, openBuilds, type Builds, type Choices, type Files } from "./build-fixture.ts";

type Options = Partial<Parameters<typeof openCheckTemplates>[0]>;

/** Where pip finds the packages, so that each layer is installed once, whatever the sources are. */
const shelf = mkdtempSync(join(tmpdir(), "dari-wheels-"));
const packages: Files = { "requirements.txt": "heavy==1.0\n" };
let builds: Builds;
let canFork = false;
beforeAll(async () => {
  builds = await openBuilds(undefined, { PIP_FIND_LINKS: shelf, PIP_NO_INDEX: "1" });
  canFork = builds.driver.prepareTemplate !== undefined;
  const wheel = await builds.wheel("heavy", {
    "heavy/__init__.py": `
import os
import sys
import inner
load = os.urandom(8).hex()
print("heavy is loaded", file=sys.stderr)
if os.environ.get("BAD"):
    raise RuntimeError("heavy cannot be loaded")
`,
    "heavy/part.py": "value = 1\n",
    "inner.py": "",
    "threads.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    "writes.py": "open('left', 'w').close()\n",
    "hangs.py": "import signal\nsignal.pause()\n",
    "optional.py": "try:\n    import speedups\nexcept ImportError:\n    pass\n",
    "paths.py": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'vendor'))\n",
    "vendor/util.py": "",
    "lazy.py": "import os\ndef __getattr__(name):\n    os.environ['BAD'] = '1'\n    return 1\n",
    "plugins.py": "from importlib.metadata import entry_points\n[e.load() for e in entry_points(group='plugins')]\n",
    "folders.pth": "../lib\n",
    "raises.py": "raise RuntimeError('raises cannot be loaded')\n",
  });
  writeFileSync(join(shelf, "heavy-1.0-py3-none-any.whl"), wheel);
});
afterAll(async () => {
  await builds[Symbol.asyncDispose]();
  rmSync(shelf, { recursive: true });
});

/** An agent that says which load of the package it sees. */
const says = `import heavy\nprint("by", heavy.load)\ndef agent(prompt):\n    return prompt\n`;

interface Opened extends AsyncDisposable {
  readonly checks: CheckTemplates;
  readonly refusals: string[];
  readonly dir: string;
}

function open(o: Options = {}): Opened {
  const dir = builds.fresh();
  mkdirSync(dir);
  const refusals: string[] = [];
  const onRefused = (why: string): void => void refusals.push(why);
  const checks = openCheckTemplates({ dir, hasRoom: () => true, worthMs: 0, onRefused, ...o });
  return { checks, refusals, dir, [Symbol.asyncDispose]: () => checks.close() };
}

async function build(sources: Files, choices: Choices): Promise<{ by: string; log: string; failure?: string }> {
  const files = { "dari.yml": manifest("agent.py:agent"), ...packages, ...sources };
  const { result, log } = await builds.build(files, choices);
  const by = /^by (\w+)$/m.exec(log)?.[1] ?? "";
  return { by, log, ...(!result.ok && { failure: result.failure.message }) };
}

test("packages are loaded once for all that begins with them, and what they say is said each time", async () => {
  await using opened = open();
  const first = await build({ "agent.py": says }, opened);
  const again = await build({ "agent.py": `${says}more = 1\n` }, opened);
  expect(first.by).not.toBe("");
  expect(again.by === first.by).toBe(canFork);
  for (const { log } of [first, again]) expect(log.match(/^heavy is loaded$/gm)).toHaveLength(1);
  expect(opened.refusals).toEqual([]);
});

test("an agent that fails is told what it always is, and the next one is forked all the same", async () => {
  await using opened = open();
  const sources = { "agent.py": `${says}agent.missing\n` };
  const first = await build({ "agent.py": says }, opened);
  const failed = await build(sources, opened);
  expect(failed.failure).toBe((await build(sources, {})).failure);
  expect(failed.failure).toMatch(/agent\.py could not be loaded:[^]*no attribute 'missing'/);
  const next = await build({ "agent.py": `${says}more = 1\n` }, opened);
  expect(next.by === first.by).toBe(canFork);
});

/** What loads after `before` did, and what it must end with: as without anything that was loaded. */
const different: [title: string, before: Files, after: Files][] = [
  [
    "a module of the agent's in place of one that a package needs",
    {},
    { "inner.py": "raise RuntimeError('the wrong one')\n" },
  ],
  [
    "a package of the agent's in place of the package",
    {},
    { "heavy/__init__.py": "raise RuntimeError('the wrong one')\n" },
  ],
  ["a variable that is set before the import", {}, { "agent.py": `import os\nos.environ["BAD"] = "1"\n${says}` }],
  ["another environment", {}, { "dari.yml": manifest("agent.py:agent", "env: {BAD: '1'}\n") }],
  ["a secret that had no placeholder", {}, { "dari.yml": manifest("agent.py:agent", "secrets: [BAD]\n") }],
  [
    "a part of the package that nobody imports any more",
    { "agent.py": `import heavy.part\n${says}` },
    { "agent.py": `${says}print(heavy.part.value)\n` },
  ],
  [
    "a module of the agent's that a package would have taken",
    { "agent.py": `import optional\n${says}` },
    { "agent.py": `import optional\n${says}`, "speedups.py": "raise RuntimeError('the wrong one')\n" },
  ],
  [
    "a module of the agent's in place of one that only a template needs",
    {},
    { "agent.py": `${says}import socket\n`, "socket.py": "raise RuntimeError('the wrong one')\n" },
  ],
  [
    "one in a folder that a package names",
    { "agent.py": `import optional\n${says}` },
    { "agent.py": `import optional\n${says}`, "lib/speedups.py": "raise RuntimeError('the wrong one')\n" },
  ],
  [
    "a package that says where modules are",
    { "agent.py": `import paths\n${says}` },
    { "agent.py": `import paths\n${says}import util\nutil.value\n`, "util.py": "value = 1\n" },
  ],
  ["what looking a name up does", {}, { "agent.py": `from lazy import Agent\n${says}` }],
  [
    "a plugin of the agent's",
    { "agent.py": `import plugins\n${says}` },
    {
      "agent.py": `import plugins\n${says}`,
      "own.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: own\nVersion: 1\n",
      "own.egg-info/entry_points.txt": "[plugins]\none = own\n",
      "own.py": "raise RuntimeError('the wrong one')\n",
    },
  ],
  ["a package that cannot be loaded", {}, { "agent.py": `import raises\n${says}` }],
  ["a package that is not there", {}, { "agent.py": `import absent\n${says}` }],
  ["a file beside the source", {}, { "agent.py": `${says}open(__file__ + "x", "w")\n` }],
];

test.each(different)("does not pass for what was loaded before: %s", async (_, before, after) => {
  await using opened = open();
  const sources = { "agent.py": says };
  expect((await build({ ...sources, ...before }, opened)).failure).toBeUndefined();
  const alone = await build({ ...sources, ...after }, {});
  expect(alone.failure).toBeDefined();
  expect((await build({ ...sources, ...after }, opened)).failure).toBe(alone.failure);
});

test("of what is written without end no more is kept than is shown", async () => {
  await using opened = open();
  await build({ "agent.py": says }, opened);
  const { by, log } = await build({ "agent.py": `${says}for _ in range(20):\n    print("x" * 500_000)\n` }, opened);
  expect(by).not.toBe("");
  expect(log.match(/^x+$/gm)?.map((line) => line.length)).toEqual(Array(20).fill(4096));
});

test.each([
  ["threads", /threads/],
  ["writes", /write files/],
])("a package that cannot be forked is loaded by each check: %s", async (name, why) => {
  await using opened = open();
  const sources = { "agent.py": `import ${name}\n${says}` };
  for (let round = 0; round < 2; round++) expect((await build(sources, opened)).by).not.toBe("");
  // Once: it is not tried again.
  if (canFork) expect(opened.refusals).toEqual([expect.stringMatching(why)]);
  expect(await readdir(opened.dir)).toEqual([]);
});

describe("are forked from none", () => {
  async function expectApart(o: Options, first: Choices = {}, second: Choices = {}): Promise<void> {
    await using opened = open(o);
    const { checks } = opened;
    const one = await build({ "agent.py": says }, { checks, ...first });
    const other = await build({ "agent.py": says }, { checks, ...second });
    expect(one.by).not.toBe("");
    expect(other.by).not.toBe("");
    expect(other.by).not.toBe(one.by);
  }

  test("of another organization", () => expectApart({}, {}, { keyPrefix: "another" }));
  test("with other limits", () => expectApart({}, {}, { sandboxLimits: { processes: 64 } }));
  test("where memory is short", () => expectApart({ hasRoom: () => false }));
  test("where that saves nothing", () => expectApart({ worthMs: 600_000 }));
  test("that was made for no place", () => expectApart({ max: 0 }));
});

test("of more than there are places for, the one that was not used for longest ends", async () => {
  await using opened = open({ max: 1 });
  const first = await build({ "agent.py": says }, opened);
  await build({ "agent.py": says }, { ...opened, keyPrefix: "another" });
  expect((await build({ "agent.py": says }, opened)).by).not.toBe(first.by);
  await waitUntil(async () => (await readdir(opened.dir)).length <= 1, { what: "the others to end" });
});

test("two at once are forked from one", async () => {
  await using opened = open();
  const both = ["one = 1", "two = 2"].map((line) => build({ "agent.py": `${says}${line}\n` }, opened));
  const [one, two] = await Promise.all(both);
  expect(one!.by).not.toBe("");
  expect(two!.by === one!.by).toBe(canFork);
});

test("nothing is left when they are closed, nor of a build that is given up meanwhile", async () => {
  const opened = open();
  await build({ "agent.py": says }, opened);
  const abort = new AbortController();
  const slow = { "agent.py": `import heavy\nimport signal\nsignal.pause()\n` };
  const signal = abort.signal;
  const given = build(slow, { ...opened, signal, keyPrefix: "another" });
  if (canFork) await waitUntil(async () => (await readdir(opened.dir)).length === 2, { what: "the second" });
  abort.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  await opened.checks.close();
  expect(await readdir(opened.dir)).toEqual([]);
  const late = await build({ "agent.py": says }, opened);
  expect(late.by).not.toBe("");
  expect(await readdir(opened.dir)).toEqual([]);
});

test("one that has died is followed by another", async () => {
  await using opened = open();
  const first = await build({ "agent.py": says }, opened);
  const [template] = childrenOf(process.pid).filter((pid) => /main\.py\0template\0/.test(read(pid, "cmdline")));
  expect(template !== undefined).toBe(canFork);
  if (template !== undefined) process.kill(template, "SIGKILL");
  await waitUntil(async () => (await readdir(opened.dir)).length === 0, { what: "its end" });
  const second = await build({ "agent.py": says }, opened);
  const third = await build({ "agent.py": says }, opened);
  expect(second.by).not.toBe(first.by);
  expect(third.by === second.by).toBe(canFork);
  expect(opened.refusals).toEqual([]);
});

test("packages that are never loaded hold up neither who gives up nor the end", async () => {
  const opened = open();
  const abort = new AbortController();
  const given = build({ "agent.py": `import hangs\n${says}` }, { ...opened, signal: abort.signal });
  if (canFork) await waitUntil(async () => (await readdir(opened.dir)).length === 1, { what: "it to be started" });
  abort.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  await opened.checks.close();
  expect(await readdir(opened.dir)).toEqual([]);
  expect(opened.refusals).toEqual([]);
}, 20_000);

/** All below it. */
function childrenOf(pid: number): number[] {
  const pids = readdirSync("/proc")
    .map(Number)
    .filter((one) => one > 0);
  const children = pids.filter((one) => Number(/^PPid:\t(\d+)$/m.exec(read(one, "status"))?.[1]) === pid);
  return [...children, ...children.flatMap(childrenOf)];
}

/** Empty where it has ended. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

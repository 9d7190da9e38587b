// With which imports an agent begins: what runs before anything else, in the order in which Python runs it.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBuilds, type Builds } from "./build-fixture.ts";

const script = fileURLToPath(new URL("../guest/compile/python_sources.py", import.meta.url));
let builds: Builds;
let python: string;
beforeAll(async () => {
  builds = await openBuilds();
  python = (await builds.runtimes.resolve("python", undefined)).command;
});
afterAll(() => builds[Symbol.asyncDispose]());

async function importsOf(files: Readonly<Record<string, string>>, entry = "agent.py"): Promise<unknown> {
  const dir = builds.fresh();
  for (const [name, text] of Object.entries({ ".deps/sdk/__init__.py": "", ".deps/tool.py": "", ...files })) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  const flags = ["-q", "-q", "--invalidation-mode", "unchecked-hash", "."];
  return JSON.parse(execFileSync(python, ["-I", script, entry, ...flags], { cwd: dir, encoding: "utf8" }));
}

const sdk = ["sdk", ["Agent"]];

test.each<[title: string, files: Readonly<Record<string, string>>, imports: unknown[]]>([
  [
    "all kinds",
    { "agent.py": "import os, sdk.a as b\nfrom sdk import *\n" },
    [
      ["os", []],
      ["sdk.a", []],
      ["sdk", ["*"]],
    ],
  ],
  [
    "behind what does nothing",
    {
      "agent.py": `"""About."""
from __future__ import annotations
from typing import TYPE_CHECKING
__all__ = ["agent"]
name = "a"\nif TYPE_CHECKING:\n    import tool\nfrom sdk import Agent\n`,
    },
    [["typing", ["TYPE_CHECKING"]], sdk],
  ],
  ["none behind a call", { "agent.py": "import sdk\nsdk.set_up()\nimport tool\n" }, [["sdk", []]]],
  ["none behind a value that is looked up", { "agent.py": "import sdk\nx = sdk.a\nimport tool\n" }, [["sdk", []]]],
  [
    "none behind what may not be imported",
    { "agent.py": "import sdk\ntry:\n    import tool\nexcept: pass\n" },
    [["sdk", []]],
  ],
  [
    "none behind a name that Python reads",
    { "agent.py": "import sdk\n__path__ = ['x']\nimport tool\n" },
    [["sdk", []]],
  ],
  [
    "those of the agent's modules, in their turn",
    { "agent.py": "import mine\nfrom sdk import Agent\n", "mine.py": "import tool\n" },
    [["tool", []], sdk],
  ],
  [
    "up to what such a module does",
    { "agent.py": "import mine\nfrom sdk import Agent\n", "mine.py": "import tool\nprint()\n" },
    [["tool", []]],
  ],
  [
    "of modules that import each other",
    { "agent.py": "import mine\n", "mine.py": "import other\nimport tool\n", "other.py": "import mine\nimport sdk\n" },
    [
      ["sdk", []],
      ["tool", []],
    ],
  ],
  [
    "a module of the agent's, not the package of that name",
    { "agent.py": "import sdk\nimport tool\n", "sdk.py": "" },
    [["tool", []]],
  ],
  [
    "none behind a folder that may be a package",
    { "agent.py": "import tool\nimport sdk\n", "sdk/x.py": "" },
    [["tool", []]],
  ],
  [
    "none behind all that a package of the agent's names",
    {
      "agent.py": "import tool\nfrom mine import *\nimport sdk\n",
      "mine/__init__.py": "__all__ = ['x']\n",
      "mine/x.py": "",
    },
    [["tool", []]],
  ],
  [
    "none behind a file that has the name of a part of Python",
    { "agent.py": "import tool\nimport time\nimport sdk\n", "time.py": "" },
    [["tool", []]],
  ],
  [
    "none behind what only looks like it is for checkers",
    { "agent.py": "import tool\nTYPE_CHECKING = True\nif TYPE_CHECKING:\n    import sdk\n" },
    [["tool", []]],
  ],
  [
    "none behind a name that Python reads, wherever it is from",
    { "agent.py": "import tool\nfrom sdk import where as __path__\nimport sdk\n" },
    [["tool", []]],
  ],
  [
    "none behind a module that was compiled",
    { "agent.py": "import tool\nimport mine\nimport sdk\n", "mine.py": "", "mine.abi3.so": "" },
    [["tool", []]],
  ],
  [
    "no more than a template is told",
    { "agent.py": `import sdk\nfrom sdk import ${"x".repeat(65_536)}\n` },
    [["sdk", []]],
  ],
  ["none where no package is", { "agent.py": "import os\nimport absent\n" }, []],
  ["none of what is not Python", { "agent.py": "import sdk\nimport (\n" }, []],
])("%s", async (_, files, imports) => {
  expect(await importsOf(files)).toEqual(imports);
});

test("in a package they begin with those of what is above it", async () => {
  const files = {
    "src/app/__init__.py": "import tool\n",
    "src/app/agent.py": "from . import own\nfrom .own import x\nfrom ..no import y\nfrom sdk import Agent\n",
    "src/app/own.py": "from sdk import Agent\n",
  };
  expect(await importsOf(files, "src/app/agent.py")).toEqual([["tool", []]]);
  expect(await importsOf({ ...files, "src/app/__init__.py": "" }, "src/app/agent.py")).toEqual([sdk]);
});

test("in a plain folder they begin with those of the packages above it", async () => {
  const files = { "app/__init__.py": "import tool\nprint()\n", "app/code/agent.py": "import sdk\n" };
  expect(await importsOf(files, "app/code/agent.py")).toEqual([["tool", []]]);
});

test("a source as deep as Python allows, and one that is as large, is no trouble", async () => {
  expect(
    await importsOf({ "agent.py": `import sdk\nx = ${"(".repeat(150)}1${")".repeat(150)}\nimport tool\n` }),
  ).toEqual([
    ["sdk", []],
    ["tool", []],
  ]);
  expect(await importsOf({ "agent.py": `import sdk\nx = ${"-".repeat(100_000)}1\nimport tool\n` })).toEqual([]);
  expect(await importsOf({ "agent.py": `import sdk\n${"x = 1\n".repeat(200_000)}` })).toEqual([]);
});

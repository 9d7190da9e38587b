// Which dependency file of a Python project is used, the warning about unpinned versions, and where a project's own
// packages are found.

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { manifest, openBuilds, type Builds } from "./build-fixture.ts";

let builds: Builds;
let shelf: string;
beforeAll(async () => {
  shelf = await mkdtemp(join(tmpdir(), "wheels-"));
  builds = await openBuilds(undefined, { PIP_FIND_LINKS: shelf, PIP_NO_INDEX: "1" });
  const needsTool = "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\nRequires-Dist: tool\n";
  const greet = { "greet.py": "hello = 'hello '\n", "greet-1.0.dist-info/METADATA": needsTool };
  await writeFile(join(shelf, "greet-1.0-py3-none-any.whl"), await builds.wheel("greet", greet));
  await writeFile(join(shelf, "tool-1.0-py3-none-any.whl"), await builds.wheel("tool", { "tool.py": "" }));
});
afterAll(async () => {
  await builds[Symbol.asyncDispose]();
  await rm(shelf, { recursive: true });
});

const agent = "from greet import hello\ndef agent(prompt):\n    return hello + prompt\n";
const pyproject = `[project]\nname = "mine"\nversion = "1"\ndependencies = ["greet"]\n`;

test.each([
  ["requirements.txt", "greet==1.0\ntool==1.0\n", /pip install -r requirements\.txt in my_agent: done in/],
  ["pyproject.toml", pyproject, /pip install \(pyproject\.toml\) in my_agent: done in/],
])("%s next to the entrypoint is used", async (name, text, said) => {
  const { dir, log } = await builds.imageOf({
    "dari.yml": manifest("my_agent/agent.py:agent"),
    "pyproject.toml": `[project]\nname = "outer"\nversion = "1"\n`,
    [`my_agent/${name}`]: text,
    "my_agent/agent.py": agent,
  });
  expect(await readdir(join(dir, ".deps"))).toEqual(expect.arrayContaining(["greet.py", "tool.py"]));
  expect(log).toMatch(said);
});

test("requirements at the root win over those next to the entrypoint", async () => {
  const { log } = await builds.imageOf({
    "dari.yml": manifest("my_agent/agent.py:agent"),
    "requirements.txt": "greet==1.0\ntool==1.0\n",
    "my_agent/requirements.txt": "no-such-package-of-this-test\n",
    "my_agent/agent.py": agent,
  });
  expect(log).toMatch(/pip install -r requirements\.txt: done in/);
});

test("requirements elsewhere are named in a warning", async () => {
  const { warnings } = await builds.imageOf({
    "dari.yml": manifest("agent.py:agent"),
    "other/requirements.txt": "greet\n",
    "agent.py": "def agent(prompt):\n    return prompt\n",
  });
  expect(warnings).toEqual(["other/requirements.txt is not read: it is neither at the root nor beside the entrypoint"]);
});

test.each([
  ["greet\ntool", "greet, tool"],
  ["greet==1.0", "tool"],
  ["greet==1.0 # the one\n-r more.txt", undefined],
  ["Greet == 1.0\nTool[x]==1.0; python_version >= '3'", undefined],
  ["greet==1.*\ntool>=1.0,==1.0", "greet, tool"],
])("packages that %j does not pin are named in a warning", async (requirements, loose) => {
  const { warnings } = await builds.imageOf({
    "dari.yml": manifest("agent.py:agent"),
    "requirements.txt": `${requirements}\n`,
    "more.txt": "tool==1.0\n",
    "agent.py": agent,
  });
  const advice = "so each build can install different versions; pin every package (pip freeze), or add uv.lock";
  expect(warnings).toEqual(loose === undefined ? [] : [`no file pins the versions of ${loose}, ${advice}`]);
});

test("a file at the root imports the project's package from src", async () => {
  await builds.imageOf({
    "dari.yml": manifest("agent.py:agent"),
    "src/mine/__init__.py": "",
    "src/mine/crew.py": "answer = 'from src'\n",
    "agent.py": "from mine.crew import answer\ndef agent(prompt):\n    return answer\n",
  });
});

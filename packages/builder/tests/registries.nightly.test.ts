// Each package manager installs a small package from its registry, by its own lockfile. Skipped on machines without a
// registry; in CI that is a failure.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { callNode, manifest, openBuilds, type Builds, type Files } from "./build-fixture.ts";
import * as locks from "./lockfiles.ts";

let builds: Builds;
let isOnline = false;
beforeAll(async () => {
  builds = await openBuilds();
  isOnline = process.env.CI !== undefined || (await locks.hasRegistry(builds));
});
afterAll(() => builds[Symbol.asyncDispose]());

/** A test that needs a registry. */
function online(name: string, run: () => Promise<void>): void {
  test(
    name,
    async () => {
      if (isOnline) await run();
      else process.stderr.write(`${name}: skipped, because no package registry can be reached\n`);
    },
    300_000,
  );
}

const node: Files = {
  "dari.yml": manifest("src/agent.ts:agent"),
  "package.json": JSON.stringify({ name: "agent", type: "module", dependencies: { ms: "2.1.3" } }),
  "src/agent.ts": `import ms from "ms";\nexport const agent = (p: string): string => p + ms(60_000);\n`,
};

async function expectNode(lock: Files, name: RegExp): Promise<void> {
  const { entry, log, warnings } = await builds.imageOf({ ...node, ...lock });
  expect(log).toMatch(name);
  expect(callNode(entry)).toBe("hi1m");
  expect(warnings).toEqual([]);
}

online("npm ci", () => expectNode({ "package-lock.json": locks.npmLock }, /^npm ci: done in/m));
online("pnpm", () => expectNode({ "pnpm-lock.yaml": locks.pnpmLock }, /^pnpm@10 install: done in/m));
online("Yarn 1", async () => {
  const project = { "package.json": node["package.json"]! };
  const lock = await locks.writeYarnLock(builds, "yarn@1.22.22", project);
  await expectNode({ "yarn.lock": lock }, /^yarn@1\.22\.22 install: done in/m);
});
online("Yarn 4", async () => {
  const project = { "package.json": node["package.json"]!, "yarn.lock": "" };
  const lock = await locks.writeYarnLock(builds, "@yarnpkg/cli-dist@4.18.1", project);
  await expectNode({ "yarn.lock": lock }, /^@yarnpkg\/cli-dist@4\.\d+\.\d+ install: done in/m);
});

const python: Files = {
  "dari.yml": manifest("agent.py:agent"),
  "agent.py": "import six\ndef agent(prompt):\n    return six.__version__\n",
};

async function expectPython(files: Files, name: RegExp): Promise<void> {
  const { dir, log, warnings } = await builds.imageOf({ ...python, ...files });
  expect(log).toMatch(name);
  expect(await readdir(join(dir, ".deps"))).toEqual(expect.arrayContaining(["six.py", "six-1.16.0.dist-info"]));
  expect(await readdir(join(dir, ".deps/__pycache__"))).toHaveLength(1);
  expect(warnings.filter((warning) => !warning.includes("uv.lock"))).toEqual([]);
}

online("pip, requirements.txt", () =>
  expectPython({ "requirements.txt": "six==1.16.0\n" }, /^pip install -r .*: done in/m),
);
online("pip, pyproject.toml", () =>
  expectPython({ "pyproject.toml": locks.uvProject }, /^pip install \(pyproject\.toml\): done/m),
);
online("Poetry", () =>
  expectPython(
    { "pyproject.toml": locks.poetryProject, "poetry.lock": locks.poetryLock },
    /^pip install \(poetry\.lock\): done in/m,
  ),
);
online("uv", async () => {
  const lock = await locks.writeUvLock(builds, { "pyproject.toml": locks.uvProject });
  await expectPython({ "pyproject.toml": locks.uvProject, "uv.lock": lock }, /^uv \(uv\.lock\): done in/m);
});

online("a lockfile that was installed is not installed again, whatever else changes", async () => {
  const first = { ...node, "package-lock.json": locks.npmLock, "note.txt": "one" };
  await builds.imageOf(first);
  const { log, entry } = await builds.imageOf({ ...first, "note.txt": "two" });
  expect(log).toMatch(/^dependencies are installed already$/m);
  expect(log).not.toMatch(/npm ci/);
  expect(callNode(entry)).toBe("hi1m");
});

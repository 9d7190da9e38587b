// Dependencies are installed from local packages, so that these tests do not depend on a registry.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { filesOf, writeBundle } from "@dari/testkit/bundles";
import { callNode, manifest, openBuilds, supportAgent, type Builds } from "./build-fixture.ts";

let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

const greet = (): Promise<Buffer> => builds.wheel("greet", { "greet.py": "hello = 'hello '\n" });

describe("pip", () => {
  test("requirements are installed next to the sources", async () => {
    const { dir, log } = await builds.imageOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "# one\n./wheels/greet-1.0-py3-none-any.whl\n",
      "wheels/greet-1.0-py3-none-any.whl": await greet(),
      // Named like a module that pip itself needs.
      "logging.py": "raise RuntimeError('not for pip')\n",
      "agent.py": "from greet import hello\ndef agent(prompt):\n    return hello + prompt\n",
    });
    expect(await readdir(join(dir, ".deps"))).toEqual(expect.arrayContaining(["greet.py", "greet-1.0.dist-info"]));
    expect(await readdir(join(dir, ".deps/__pycache__"))).toHaveLength(1);
    expect(log).toMatch(/pip install -r requirements\.txt: done in/);
  });

  test("dependencies of pyproject.toml are installed, the project itself is not", async () => {
    const dependencies = `dependencies = ["./wheels/greet-1.0-py3-none-any.whl"]`;
    const { dir } = await builds.imageOf({
      "dari.yml": manifest("agent.py:agent"),
      "pyproject.toml": `[project]\nname = "mine"\nversion = "1"\n${dependencies}\n`,
      "wheels/greet-1.0-py3-none-any.whl": await greet(),
      "agent.py": "def agent(prompt):\n    return prompt\n",
    });
    const installed = (await readdir(join(dir, ".deps"))).filter((name) => name.endsWith(".dist-info"));
    expect(installed).toEqual(["greet-1.0.dist-info"]);
  });

  test("a package that leaves a closed folder, and one whose name is not UTF-8, is installed", async () => {
    const { dir } = await builds.imageOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "./odd\n",
      "odd/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
      "odd/backend.py": `
import os, zipfile
def build_wheel(directory, *_):
    os.makedirs(b"../bytes-\\xff/in")
    os.makedirs("../closed/in")
    os.chmod("../closed", 0)
    with zipfile.ZipFile(os.path.join(directory, "odd-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("odd.py", "")
        for name, text in {"METADATA": "Metadata-Version: 2.1\\nName: odd\\nVersion: 1.0\\n", "RECORD": "",
                "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}.items():
            wheel.writestr("odd-1.0.dist-info/" + name, text)
    return "odd-1.0-py3-none-any.whl"
`,
      "agent.py": "import odd\ndef agent(prompt):\n    return prompt\n",
    });
    expect((await readdir(dir)).sort()).toEqual([
      ".deps",
      "__pycache__",
      "agent.py",
      "dari.yml",
      "odd",
      "requirements.txt",
    ]);
  });

  test("a requirement that cannot be installed fails the build with pip's message", async () => {
    const { code, message } = await builds.failureOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "./missing-1.0-py3-none-any.whl\n",
      "agent.py": "def agent(prompt):\n    return prompt\n",
    });
    expect(code).toBe("build_failed");
    expect(message).toMatch(/^pip install -r requirements\.txt failed with exit code 1\n[^]*missing-1\.0/);
  });
});

describe("the packages that the platform provides to agents", () => {
  const address = "http://127.0.0.1:9/packages/dari-agent.tgz";
  const files = (dependencies: object): Record<string, string> => ({
    "dari.yml": manifest("agent.js:agent"),
    "package.json": JSON.stringify({ type: "module", ...dependencies }),
    "tiny/package.json": JSON.stringify({ name: "tiny", version: "1.0.0", main: "index.js" }),
    "tiny/index.js": "exports.tiny = 'tiny';",
    "agent.js": `import { operationKey } from "@dari/agent";
import { tiny } from "tiny";
export const agent = () => [tiny, typeof operationKey];`,
  });

  test.each(["dependencies", "devDependencies"])("are not asked for if they are in the %s", async (table) => {
    const own = { dependencies: { tiny: "file:./tiny" } };
    const table_ = { [table]: { ...(table === "dependencies" ? own.dependencies : {}), "@dari/agent": address } };
    const { entry } = await builds.imageOf(files({ ...own, ...table_ }));
    expect(callNode(entry)).toEqual(["tiny", "function"]);
  });

  test("are named if requirements ask for them", async () => {
    const { message } = await builds.failureOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "./dari_agent-1.2.3-py3-none-any.whl\n",
      "agent.py": "def agent(prompt):\n    return prompt\n",
    });
    expect(message).toMatch(/\nthe platform provides dari_agent: remove it from the dependencies$/);
  });
});

test("a build program that fills the disk is ended, and the failure says what it used up", async () => {
  if (builds.guarantees.limits.disk === "none") return;
  const { result } = await builds.build(
    {
      "dari.yml": manifest("agent.py:agent"),
      "agent.py": "def agent(prompt):\n    return prompt\n",
      "requirements.txt": "./greedy\n",
      "greedy/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
      "greedy/backend.py": `
import os, pathlib, signal
def build_wheel(*_):
    (pathlib.Path.home() / "large").write_bytes(b"x" * 64 * 1024 ** 2)
    signal.pause()
`,
    },
    { sandboxLimits: { diskBytes: 16 * 1024 ** 2 } },
  );
  const message = expect.stringMatching(
    /^pip install .* SIGKILL: it exceeded the limit of a build for disk space \(16 MiB\)\n/,
  );
  expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
});

describe("temporary files of builds", () => {
  const greedy = (mebibytes: number): Record<string, string> => ({
    "dari.yml": manifest("agent.py:agent"),
    "agent.py": "def agent(prompt):\n    return prompt\n",
    "requirements.txt": "./greedy\n",
    "greedy/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
    "greedy/backend.py": `
import signal, tempfile
def build_wheel(*_):
    held = tempfile.NamedTemporaryFile()
    for _ in range(${mebibytes}):
        held.write(b"x" * 1024 ** 2)
    held.flush()
    raise SystemExit(f"wrote ${mebibytes} MiB" if ${mebibytes} < 64 else signal.pause())
`,
  });

  test("are on the disk, beyond what a file system in memory would hold", async () => {
    const tooMuchForMemory = { tmpBytes: 8 * 1024 ** 2 };
    const { result } = await builds.build(greedy(32), { sandboxLimits: tooMuchForMemory });
    expect(result).toMatchObject({ ok: false, failure: { message: expect.stringContaining("wrote 32 MiB") } });
  });

  test("have a limit of their own, which the failure names", async () => {
    if (builds.guarantees.limits.disk === "none") return;
    const { result } = await builds.build(greedy(64), { tmpBytes: 16 * 1024 ** 2 });
    const message = expect.stringMatching(
      /^pip install .* SIGKILL: it exceeded the limit of a build for temporary files in \/tmp \(16 MiB\)\n/,
    );
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
  });
});

describe("npm", () => {
  const agent = `import { greet } from "greet";\nexport const agent = (p: string): string => greet(p);\n`;

  async function tarball(name: string, source: string): Promise<Buffer> {
    const script = `require("node:fs").writeFileSync("ran", "x")`;
    const file = await writeBundle(
      builds.fresh(),
      filesOf({
        "package/package.json": JSON.stringify({
          name,
          version: "1.0.0",
          type: "module",
          exports: "./index.js",
          scripts: { install: `node -e '${script}'` },
        }),
        "package/index.js": source,
      }),
    );
    return readFile(file);
  }

  test("installs what package.json names, without its install scripts", async () => {
    const { dir, entry, warnings } = await builds.imageOf({
      "dari.yml": manifest("src/agent.ts:agent"),
      "package.json": JSON.stringify({
        type: "module",
        scripts: { postinstall: "exit 1" },
        dependencies: { greet: "file:vendor/greet-1.0.0.tgz" },
      }),
      "vendor/greet-1.0.0.tgz": await tarball("greet", "export const greet = (p) => `hello ${p}`;\n"),
      "src/agent.ts": agent,
    });
    expect(callNode(entry)).toBe("hello hi");
    expect((await readdir(join(dir, "node_modules/greet"))).sort()).toEqual(["index.js", "package.json"]);
    expect(warnings).toEqual([
      expect.stringMatching(/no package-lock\.json/),
      "scripts of package.json do not run when it is installed: postinstall",
    ]);
  });

  test("a layer that was just installed is not downloaded again by the next build or turn", async () => {
    const files = {
      "dari.yml": manifest("agent.mjs:agent"),
      "package.json": JSON.stringify({ dependencies: { greet: "file:vendor/greet-1.0.0.tgz" } }),
      "vendor/greet-1.0.0.tgz": await tarball("greet", "export const greet = (p) => `once ${p}`;\n"),
      "agent.mjs": `import { greet } from "greet";\nexport const agent = (p) => greet(p);\n`,
    };
    let layer: DependencyLayerRef | undefined;
    const registry: DependencyLayerRegistry = {
      async obtain(_key, make, signal) {
        if (layer !== undefined) return layer;
        layer = await make(signal);
        await builds.store.delete([layer.objectKey]);
        return layer;
      },
    };
    const first = await builds.imageOf(files, { registry });
    const { entry, log } = await builds.imageOf({ ...files, "more.txt": "x" }, { registry });
    expect(log).toMatch(/dependencies are installed already/);
    expect(callNode(first.entry)).toBe("once hi");
    expect(callNode(entry)).toBe("once hi");
  });

  test("a package that cannot be installed fails the build with npm's message", async () => {
    const { result, log } = await builds.build({
      "dari.yml": manifest("src/agent.ts:agent"),
      "package.json": JSON.stringify({ dependencies: { greet: "file:vendor/missing.tgz" } }),
      "src/agent.ts": agent,
    });
    const message = expect.stringMatching(/^npm install failed with exit code \d+\n[^]*missing\.tgz/);
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
    // The log already contains them.
    expect(log).toMatch(/missing\.tgz[^]*\nbuild failed: npm install failed with exit code \d+\n$/);
  });

  test("if an agent does not load without an install script, the error says so", async () => {
    const { message } = await builds.failureOf({
      "dari.yml": manifest("agent.mjs:agent"),
      "package.json": JSON.stringify({ dependencies: { native: "file:vendor/native-1.0.0.tgz" } }),
      "vendor/native-1.0.0.tgz": await tarball("native", `import "./build/native.mjs";`),
      "agent.mjs": `import "native";\nexport const agent = (p) => p;\n`,
    });
    expect(message).toMatch(/^agent\.mjs could not be loaded:\n[^]*native\.mjs/);
    expect(message).toMatch(/\ninstall scripts do not run, and native has one: it may be incomplete/);
  });

  test("a package.json without dependencies needs no npm", async () => {
    const { log } = await builds.build({ ...supportAgent, "package.json": `{"type":"module","dependencies":{}}` });
    expect(log).toMatch(/no dependencies to install/);
  });
});

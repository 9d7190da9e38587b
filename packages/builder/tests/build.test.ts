import { execFileSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { parseManifest, type Manifest } from "@dari/contract";
import { chooseDriver, type Guarantees, type SandboxDriver } from "@dari/sandbox";
import { buildImage, createRuntimes, openImageCache, type BuildResult, type Runtimes } from "../src/index.ts";
import { filesOf, hostEnvironment, temporaryDirectory, writeBundle, type TemporaryDirectory } from "./bundles.ts";

let temporary: TemporaryDirectory;
let store: BlobStore;
let driver: SandboxDriver;
let guarantees: Guarantees;
let runtimes: Runtimes;
let counter = 0;
const fresh = (): string => join(temporary.path, `w${(counter += 1)}`);

beforeAll(async () => {
  temporary = await temporaryDirectory();
  store = createFilesystemBlobStore({ root: fresh() });
  ({ driver, guarantees } = await chooseDriver({ minimum: "none" }));
  const env = hostEnvironment();
  const installPaths = env.PIP_FIND_LINKS === undefined ? [] : [env.PIP_FIND_LINKS];
  runtimes = createRuntimes({ cacheDir: fresh(), env, installPaths, allowNearest: true });
});
afterAll(() => temporary[Symbol.asyncDispose]());

function manifestOf(text: string): Manifest {
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.manifest;
}

interface Built {
  result: BuildResult;
  log: string;
}

type Files = Record<string, string | Buffer>;

interface Choices {
  signal?: AbortSignal;
  timeoutMs?: number;
  runtimes?: Runtimes;
}

async function build(files: Files, choices: Choices = {}): Promise<Built> {
  const bundleFile = await writeBundle(fresh(), filesOf(files));
  const workDir = fresh();
  let log = "";
  try {
    const result = await buildImage({
      store, bundleFile, driver, workDir,
      runtimes: choices.runtimes ?? runtimes,
      manifest: manifestOf(String(files["dari.yml"])),
      keyPrefix: "org",
      log: (text) => (log += text),
      signal: choices.signal ?? new AbortController().signal,
      ...(choices.timeoutMs === undefined ? {} : { timeoutMs: choices.timeoutMs }),
    });
    return { result, log };
  } finally {
    expect(await readdir(workDir)).toEqual([]);
  }
}

async function failureOf(files: Files): Promise<{ code: string; message: string }> {
  const { result } = await build(files);
  if (result.ok) throw new Error("the build succeeded");
  return result.failure;
}

async function digestOf(files: Files): Promise<string> {
  const { result } = await build(files);
  return result.ok ? result.image.digest : result.failure.message;
}

/** Builds, unpacks through a cache, and calls the export as Node or Python would. */
async function imageOf(files: Files): Promise<{ dir: string; entry: string; log: string; warnings: string[] }> {
  const { result, log } = await build(files);
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.message}\n${log}`);
  const lease = await openImageCache({ dir: fresh(), store, maxBytes: 1e9 }).ensure(result.image);
  return { dir: lease.dir, entry: join(lease.dir, result.image.entry.file), log, warnings: result.warnings };
}

function callNode(entry: string, name = "agent"): unknown {
  const script = `const m = await import(process.argv[1]); console.log(JSON.stringify(await m[process.argv[2]]("hi")))`;
  const args = ["--enable-source-maps", "--input-type=module", "-e", script, entry, name];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
}

const manifest = (entrypoint: string, more = ""): string =>
  `name: a\nsdk: opencode\nentrypoint: ${entrypoint}\n${more}`;

const supportAgent = {
  "dari.yml": manifest("src/agent.ts:agent"),
  "src/agent.ts": `
import { readFile } from "node:fs/promises";
import { answer, type Answer } from "./lib/answer.js";
enum Tone { Kind = "kind" }
export async function agent(prompt: string): Promise<Answer & { policy: string; dir: string; tone: Tone }> {
  const policy = await readFile(new URL("../data/policy.txt", import.meta.url), "utf8");
  return { ...answer(prompt), policy, dir: __dirname.split("/").at(-1)!, tone: Tone.Kind };
}
`,
  "src/lib/answer.ts": `
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
export interface Answer { text: string; data: number }
export function answer(prompt: string): Answer {
  return { text: prompt.toUpperCase(), data: require("./data.json").n };
}
export function boom(): never {
  throw new Error("boom" as string);
}
`,
  "src/lib/data.json": `{"n": 7}`,
  "data/policy.txt": "be nice",
};

describe("TypeScript", () => {
  test("sources are bundled beside the entrypoint and find their files", async () => {
    const { entry, dir } = await imageOf(supportAgent);
    expect(entry).toBe(join(dir, "src/agent.dari.mjs"));
    expect(callNode(entry)).toEqual({ text: "HI", data: 7, policy: "be nice", dir: "src", tone: "kind" });
    expect(await readFile(join(dir, "src/agent.ts"), "utf8")).toBe(supportAgent["src/agent.ts"]);
  });

  test("the same bundle gives the same image", async () => {
    expect(await digestOf(supportAgent)).toBe(await digestOf(supportAgent));
  });

  test("an error names the line of the source", async () => {
    const files = { ...supportAgent, "src/agent.ts": `export { boom as agent } from "./lib/answer.ts";\n` };
    const { entry } = await imageOf(files);
    expect(() => callNode(entry)).toThrow(/src\/lib\/answer\.ts:9:9/);
    const thrown = `import { boom } from "./lib/answer.ts";\nboom();\nexport const agent = () => 1;\n`;
    const failed = await failureOf({ ...supportAgent, "src/agent.ts": thrown });
    expect(failed.code).toBe("build_failed");
    expect(failed.message).toMatch(/^src\/agent\.ts could not be loaded:\nError: boom\n.*src\/lib\/answer\.ts:9:9/);
    expect(failed.message).toMatch(/[ (]src\/agent\.ts:2:1\b/);
  });

  test("CommonJS where the package says so, and where the source is written so", async () => {
    const source = `import { basename } from "node:path";
export const agent = (prompt: string) => [prompt, basename(__filename), typeof module, require("./other").n];`;
    const other = { "src/other.ts": "export const n: number = 3;" };
    const byPackage = { "dari.yml": manifest("src/agent.ts:agent"), "package.json": `{"type":"commonjs"}`, ...other };
    const first = await imageOf({ ...byPackage, "src/agent.ts": source });
    expect(first.entry.endsWith(".cjs")).toBe(true);
    expect(callNode(first.entry)).toEqual(["hi", "agent.ts", "object", 3]);
    const written = `const helper: number = 4;\nmodule.exports = { agent: (p: string) => [p, helper] };`;
    const second = await imageOf({ "dari.yml": manifest("agent.ts:agent"), "agent.ts": written });
    expect(callNode(second.entry)).toEqual(["hi", 4]);
  });

  test("a syntax error fails the build with file and line", async () => {
    const files = { ...supportAgent, "src/lib/answer.ts": "export const ok = 1;\nexport const = 2;\n" };
    const { result, log } = await build(files);
    expect(result).toMatchObject({ ok: false, failure: { code: "build_failed" } });
    expect(!result.ok && result.failure.message).toMatch(/src\/lib\/answer\.ts:2:14: /);
    expect(log).toMatch(/compile: failed after/);
  });

  test("an import that nothing provides fails the build with file and line", async () => {
    const source = `import "no-such-package";\nexport const agent = () => 1;`;
    const { message } = await failureOf({ ...supportAgent, "src/agent.ts": source });
    expect(message).toMatch(/src\/agent\.ts:1:8: Could not resolve "no-such-package"/);
  });

  test("where sandboxes isolate, sources cannot read the worker's files", async () => {
    const secret = join(temporary.path, "secret.json");
    await writeFile(secret, `{"token":"s3cr3t"}`);
    const source = `import s from "${secret}";\nexport const agent = () => s;`;
    const { result } = await build({ ...supportAgent, "src/agent.ts": source });
    expect(result.ok).toBe(!guarantees.isolated);
  });
});

describe("JavaScript", () => {
  test("runs as it is", async () => {
    const first = await imageOf({
      "dari.yml": manifest("src/agent.js:agent"),
      "package.json": `{"type":"module"}`,
      "src/agent.js": "export const agent = (p) => [p, import.meta.url.split('/').at(-1)];",
    });
    expect(first.entry.endsWith("src/agent.js")).toBe(true);
    expect(callNode(first.entry)).toEqual(["hi", "agent.js"]);
    const cjs = { "dari.yml": manifest("agent.cjs:agent"), "agent.cjs": "exports.agent = (p) => [p];" };
    const second = await imageOf(cjs);
    expect(callNode(second.entry)).toEqual(["hi"]);
  });

  test("is bundled when it imports TypeScript", async () => {
    const { entry } = await imageOf({
      "dari.yml": manifest("agent.js:agent"),
      "agent.js": `import { n } from "./n.ts"; export const agent = () => n;`,
      "n.ts": "export const n: number = 5;",
    });
    expect(entry.endsWith("agent.dari.mjs")).toBe(true);
    expect(callNode(entry)).toBe(5);
  });
});

describe("Python", () => {
  test("is compiled ahead, and the same bundle gives the same image", async () => {
    const files = {
      "dari.yml": manifest("pkg.agent:agent", `runtime: {language: python}\n`),
      "pkg/__init__.py": "",
      "pkg/agent.py": "from .data import words\nasync def agent(prompt):\n    return sorted(words | {prompt})\n",
      "pkg/data.py": "words = frozenset({'a', 'b', 'c', 'd'})\n",
      "broken.py": "def (:\n",
    };
    const { dir, entry, log } = await imageOf(files);
    expect(entry).toBe(join(dir, "pkg/agent.py"));
    expect(await readdir(join(dir, "pkg/__pycache__"))).toHaveLength(3);
    expect(log).toMatch(/no dependencies to install/);
    expect(await digestOf(files)).toBe(await digestOf(files));
  });


  test("requirements are installed beside the sources", async () => {
    const { dir, log } = await imageOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "# one\n./wheels/greet-1.0-py3-none-any.whl\n",
      "wheels/greet-1.0-py3-none-any.whl": await makeWheel(),
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
    const { dir } = await imageOf({
      "dari.yml": manifest("agent.py:agent"),
      "pyproject.toml": `[project]\nname = "mine"\nversion = "1"\n${dependencies}\n`,
      "wheels/greet-1.0-py3-none-any.whl": await makeWheel(),
      "agent.py": "def agent(prompt):\n    return prompt\n",
    });
    const installed = (await readdir(join(dir, ".deps"))).filter((name) => name.endsWith(".dist-info"));
    expect(installed).toEqual(["greet-1.0.dist-info"]);
  });

  test("a requirement that cannot be had fails the build with pip's words", async () => {
    const { code, message } = await failureOf({
      "dari.yml": manifest("agent.py:agent"),
      "requirements.txt": "./missing-1.0-py3-none-any.whl\n",
      "agent.py": "def agent(prompt):\n    return prompt\n",
    });
    expect(code).toBe("build_failed");
    expect(message).toMatch(/^pip install -r requirements\.txt failed with exit code 1\n[^]*missing-1\.0/);
  });
});

/** A wheel is a zip, and Python writes zips. */
async function makeWheel(): Promise<Buffer> {
  const { command } = await runtimes.resolve("python", undefined);
  const file = join(temporary.path, "greet-1.0-py3-none-any.whl");
  const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in {
        "greet.py": "hello = 'hello '\\n",
        "greet-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n",
        "greet-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "greet-1.0.dist-info/RECORD": "",
    }.items():
        wheel.writestr(zipfile.ZipInfo(name), text)`;
  execFileSync(command, ["-c", script, file]);
  return readFile(file);
}

describe("npm", () => {
  const agent = `import { greet } from "greet";\nexport const agent = (p: string): string => greet(p);\n`;

  async function greetTarball(): Promise<Buffer> {
    const script = `require("node:fs").writeFileSync("ran", "x")`;
    const file = await writeBundle(fresh(), filesOf({
      "package/package.json": JSON.stringify({
        name: "greet", version: "1.0.0", type: "module", exports: "./index.js",
        scripts: { install: `node -e '${script}'` },
      }),
      "package/index.js": "export const greet = (p) => `hello ${p}`;\n",
    }));
    return readFile(file);
  }

  test("installs what package.json names, without its install scripts", async () => {
    const { dir, entry, warnings } = await imageOf({
      "dari.yml": manifest("src/agent.ts:agent"),
      "package.json": JSON.stringify({ type: "module", dependencies: { greet: "file:vendor/greet-1.0.0.tgz" } }),
      "vendor/greet-1.0.0.tgz": await greetTarball(),
      "src/agent.ts": agent,
    });
    expect(callNode(entry)).toBe("hello hi");
    expect((await readdir(join(dir, "node_modules/greet"))).sort()).toEqual(["index.js", "package.json"]);
    expect(warnings).toEqual([expect.stringMatching(/no package-lock\.json/)]);
  });

  test("a package that cannot be had fails the build with npm's words", async () => {
    const { code, message } = await failureOf({
      "dari.yml": manifest("src/agent.ts:agent"),
      "package.json": JSON.stringify({ dependencies: { greet: "file:vendor/missing.tgz" } }),
      "src/agent.ts": agent,
    });
    expect(code).toBe("build_failed");
    expect(message).toMatch(/^npm install failed with exit code \d+\n[^]*missing\.tgz/);
  });

  test("a package.json without dependencies needs no npm", async () => {
    const { log } = await build({ ...supportAgent, "package.json": `{"type":"module","dependencies":{}}` });
    expect(log).toMatch(/no dependencies to install/);
  });
});

describe("what ends a build early", () => {
  test("an entrypoint that is no file", async () => {
    const failed = await failureOf({ ...supportAgent, "dari.yml": manifest("src/missing.ts:agent") });
    const message = expect.stringMatching(/src\/missing\.ts does not exist; the bundle has src\/agent\.ts/);
    expect(failed).toEqual({ code: "entrypoint_not_found", message });
  });

  test.each<[string, Files, string, RegExp]>([
    [
      "an export that is not there",
      { "dari.yml": manifest("src/agent.ts:helper") },
      "entrypoint_not_found",
      /^src\/agent\.ts has no export "helper"; it exports agent$/,
    ],
    [
      "an export that cannot be run",
      { "src/agent.ts": "export const agent: number = 4;" },
      "unsupported_export",
      /^src\/agent\.ts:agent is a number/,
    ],
    [
      "a module that exits",
      { "src/agent.ts": "process.exit(3); export const agent = () => 1;" },
      "build_failed",
      /^src\/agent\.ts could not be loaded:\nthe agent's process exited with code 3/,
    ],
    [
      "a syntax error in JavaScript",
      { "dari.yml": manifest("agent.js:agent"), "agent.js": "export const agent = () => 1;\nconst const = 2;\n" },
      "build_failed",
      /agent\.js:2:7: /,
    ],
    [
      "a syntax error in Python",
      { "dari.yml": manifest("agent.py:agent"), "agent.py": "def agent(p):\n    return 1\ndef (:\n" },
      "build_failed",
      /agent\.py", line 3[^]*SyntaxError|SyntaxError[^]*agent\.py, line 3/,
    ],
    [
      "a Python module that throws",
      { "dari.yml": manifest("agent.py:agent"), "agent.py": "import nowhere\ndef agent(p): return 1\n" },
      "build_failed",
      /agent\.py could not be loaded:\n[^]*agent\.py", line 1[^]*No module named 'nowhere'/,
    ],
  ])("%s", async (_name, files, code, message) => {
    expect(await failureOf({ ...supportAgent, ...files })).toEqual({ code, message: expect.stringMatching(message) });
  });

  test("secrets and env are there when the module is loaded", async () => {
    const source = `if (!process.env.API_KEY || process.env.MODE !== "x") throw new Error("no env");
export const agent = () => 1;`;
    const yml = manifest("src/agent.ts:agent", "secrets: [API_KEY]\nenv: {MODE: x}\n");
    const { result } = await build({ ...supportAgent, "dari.yml": yml, "src/agent.ts": source });
    expect(result).toMatchObject({ ok: true });
  });

  test("a runtime that cannot be had", async () => {
    const failed = await failureOf({
      ...supportAgent,
      "dari.yml": manifest("src/agent.ts:agent", `runtime: {version: "19"}\n`),
    });
    expect(failed).toEqual({ code: "runtime_unavailable", message: expect.stringMatching(/"19".*can be had: /) });
  });

  test("an abort is thrown, not reported as the tenant's, and kills what runs", async () => {
    await using registry = await silentRegistry();
    const controller = new AbortController();
    const building = build(registry.files, { signal: controller.signal, runtimes: registry.runtimes });
    const connection = await registry.asked;
    const closed = once(connection, "close");
    controller.abort(new Error("shutting down"));
    await expect(building).rejects.toThrow("shutting down");
    await closed;
  });

  test("a build that takes too long fails and names the step", async () => {
    await using registry = await silentRegistry();
    const { result, log } = await build(registry.files, { timeoutMs: 1500, runtimes: registry.runtimes });
    const message = "the build took longer than 1.5 s; it was at: npm install";
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
    expect(log).toMatch(/npm install: failed after 1\.\d\d s\nbuild failed: the build took longer/);
  });
});

interface SilentRegistry extends AsyncDisposable {
  readonly files: Files;
  readonly runtimes: Runtimes;
  /** Resolves with the connection when an installer asks for something. It is never answered. */
  readonly asked: Promise<Socket>;
}

async function silentRegistry(): Promise<SilentRegistry> {
  const server = createServer();
  const asked = once(server, "connection").then(([socket]) => socket as Socket);
  server.on("connection", (socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const npmRegistry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    asked,
    files: { ...supportAgent, "package.json": `{"dependencies":{"greet":"1.0.0"}}` },
    runtimes: createRuntimes({ cacheDir: fresh(), npmRegistry, env: { PATH: hostEnvironment().PATH! } }),
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

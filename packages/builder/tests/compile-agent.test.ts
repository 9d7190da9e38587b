// TypeScript, JavaScript and Python sources become images that run, and find their own files.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callNode, manifest, openBuilds, supportAgent, type Builds } from "./build-fixture.ts";

let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

describe("the package @dari/agent", () => {
  const use = `defineAgent(() => {
    try {
      return emit("x");
    } catch (error) {
      return error.message;
    }
  })`;
  test.each<[string, string, string]>([
    [
      "TypeScript",
      "agent.ts",
      `import { defineAgent, emit, type Context } from "@dari/agent";\nexport const agent = ${use};`,
    ],
    ["JavaScript", "agent.js", `import { defineAgent, emit } from "@dari/agent";\nexport const agent = ${use};`],
    ["CommonJS", "agent.cjs", `const { defineAgent, emit } = require("@dari/agent");\nexports.agent = ${use};`],
  ])("is part of an agent in %s that imports it, and is not installed", async (_title, file, source) => {
    const { entry, dir } = await builds.imageOf({ "dari.yml": manifest(`${file}:agent`), [file]: source });
    expect(callNode(entry)).toMatch(/^no turn is running/);
    expect((await readdir(dir)).sort()).not.toContain("node_modules");
    expect(await readFile(entry, "utf8")).not.toContain("packages/agent");
  });

  test("has a runner for tests, which is not for agents", async () => {
    const source = `import { runLocally } from "@dari/agent/local";\nexport const agent = () => String(runLocally);`;
    const failed = await builds.failureOf({ "dari.yml": manifest("agent.ts:agent"), "agent.ts": source });
    expect(failed.message).toMatch(/agent\.ts:1:\d+: @dari\/agent\/local is for tests/);
  });
});

describe("TypeScript", () => {
  test("sources are bundled next to the entrypoint and find their files", async () => {
    const { entry, dir } = await builds.imageOf(supportAgent);
    expect(entry).toBe(join(dir, "src/agent.dari.mjs"));
    expect(callNode(entry)).toEqual({ text: "HI", data: 7, policy: "be nice", dir: "src", tone: "kind" });
    expect(await readFile(join(dir, "src/agent.ts"), "utf8")).toBe(supportAgent["src/agent.ts"]);
  });

  test("the same bundle gives the same image", async () => {
    expect(await builds.digestOf(supportAgent)).toBe(await builds.digestOf(supportAgent));
  });

  test("an existing image is not sent again; a deleted one never gets its former key", async () => {
    const files = { ...supportAgent, "src/note.txt": "an image of its own" };
    const keyOf = async (): Promise<string> => {
      const { result } = await builds.build(files);
      if (!result.ok) throw new Error(result.failure.message);
      return result.image.objectKey;
    };
    const first = await keyOf();
    expect(await keyOf()).toBe(first);
    // A pending deletion of the first one can happen at any time.
    await builds.store.delete([first]);
    const second = await keyOf();
    await builds.store.delete([first]);
    expect(await builds.store.head(second)).toBeDefined();
  });

  test("an error names the line of the source", async () => {
    const files = { ...supportAgent, "src/agent.ts": `export { boom as agent } from "./lib/answer.ts";\n` };
    const { entry } = await builds.imageOf(files);
    expect(() => callNode(entry)).toThrow(/src\/lib\/answer\.ts:9:9/);
    const thrown = `import { boom } from "./lib/answer.ts";\nboom();\nexport const agent = () => 1;\n`;
    const failed = await builds.failureOf({ ...supportAgent, "src/agent.ts": thrown });
    expect(failed.code).toBe("build_failed");
    expect(failed.message).toMatch(/^src\/agent\.ts could not be loaded:\nError: boom\n.*src\/lib\/answer\.ts:9:9/);
    expect(failed.message).toMatch(/[ (]src\/agent\.ts:2:1\b/);
  });

  test("CommonJS if the package says so, and if the source is written so", async () => {
    const source = `import { basename } from "node:path";
export const agent = (prompt: string) => [prompt, basename(__filename), typeof module, require("./other").n];`;
    const other = { "src/other.ts": "export const n: number = 3;" };
    const byPackage = { "dari.yml": manifest("src/agent.ts:agent"), "package.json": `{"type":"commonjs"}`, ...other };
    const first = await builds.imageOf({ ...byPackage, "src/agent.ts": source });
    expect(first.entry.endsWith(".cjs")).toBe(true);
    expect(callNode(first.entry)).toEqual(["hi", "agent.ts", "object", 3]);
    const written = `const helper: number = 4;\nmodule.exports = { agent: (p: string) => [p, helper] };`;
    const second = await builds.imageOf({ "dari.yml": manifest("agent.ts:agent"), "agent.ts": written });
    expect(callNode(second.entry)).toEqual(["hi", 4]);
  });

  test("a syntax error fails the build with file and line", async () => {
    const files = { ...supportAgent, "src/lib/answer.ts": "export const ok = 1;\nexport const = 2;\n" };
    const { result, log } = await builds.build(files);
    expect(result).toMatchObject({ ok: false, failure: { code: "build_failed" } });
    expect(!result.ok && result.failure.message).toMatch(/src\/lib\/answer\.ts:2:14: /);
    expect(log).toMatch(/compile: failed after/);
  });

  test("an import that nothing provides fails the build with file and line", async () => {
    const source = `import "no-such-package";\nexport const agent = () => 1;`;
    const { result, log } = await builds.build({ ...supportAgent, "src/agent.ts": source });
    const message = result.ok ? "" : result.failure.message;
    expect(message).toMatch(/src\/agent\.ts:1:8: Could not resolve "no-such-package"/);
    expect(message).toMatch(/\nadd no-such-package to the dependencies of package\.json$/);
    // The end of the log does not repeat what it already contains.
    expect(log.match(/Could not resolve/g)).toHaveLength(1);
    expect(log).toMatch(/\nbuild failed: TypeScript does not compile:\nadd no-such-package to .*\n$/);
  });

  test("where sandboxes isolate, sources cannot read the worker's files", async () => {
    const secret = builds.fresh() + ".json";
    await writeFile(secret, `{"token":"s3cr3t"}`);
    const source = `import s from "${secret}";\nexport const agent = () => s;`;
    const { result } = await builds.build({ ...supportAgent, "src/agent.ts": source });
    expect(result.ok).toBe(!builds.guarantees.isolated);
  });
});

describe("JavaScript", () => {
  test("a package that is not installed is to be added to package.json", async () => {
    const source = `import "@no/such-package/part";\nexport const agent = () => 1;`;
    const files = { "dari.yml": manifest("agent.mjs:agent"), "agent.mjs": source };
    const { message } = await builds.failureOf(files);
    expect(message.match(/add @no\/such-package to the dependencies of package\.json/g)).toHaveLength(1);
  });

  test("runs unchanged", async () => {
    const first = await builds.imageOf({
      "dari.yml": manifest("src/agent.js:agent"),
      "package.json": `{"type":"module"}`,
      "src/agent.js": "export const agent = (p) => [p, import.meta.url.split('/').at(-1)];",
    });
    expect(first.entry.endsWith("src/agent.js")).toBe(true);
    expect(callNode(first.entry)).toEqual(["hi", "agent.js"]);
    const cjs = { "dari.yml": manifest("agent.cjs:agent"), "agent.cjs": "exports.agent = (p) => [p];" };
    const second = await builds.imageOf(cjs);
    expect(callNode(second.entry)).toEqual(["hi"]);
  });

  test("is bundled when it imports TypeScript", async () => {
    const { entry } = await builds.imageOf({
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
    const { dir, entry, log } = await builds.imageOf(files);
    expect(entry).toBe(join(dir, "pkg/agent.py"));
    expect(await readdir(join(dir, "pkg/__pycache__"))).toHaveLength(3);
    expect(log).toMatch(/no dependencies to install/);
    expect(await builds.digestOf(files)).toBe(await builds.digestOf(files));
  });
});

describe("as it is used", () => {
  test("the development driver gives the same image", async () => {
    await using development = await openBuilds("process");
    expect(development.driver.name).toBe("process");
    expect(await development.digestOf(supportAgent)).toBe(await builds.digestOf(supportAgent));
  });
});

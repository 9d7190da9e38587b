// `dari init`: every agent that it writes is valid, has the packages of the examples, and comes with a test that runs.

import { describe, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseManifest } from "@dari/contract";
import { chooseAgent, initKinds, initLanguages, type InitKind } from "../src/init/kinds.ts";
import { sdkPackages } from "../src/init/sdks.ts";
import { templateFiles } from "../src/init/templates.ts";
import { runDari, temporaryTree } from "./run-dari.ts";

const run = promisify(execFile);
const repository = join(import.meta.dirname, "../../..");
const apiUrl = "http://127.0.0.1:4870";
const choices = initLanguages.flatMap((language) =>
  initKinds
    .filter((kind) => language === "typescript" || !["pi", "opencode"].includes(kind))
    .map((kind) => ({ language, kind })),
);

describe("the command", () => {
  test.each([
    [[], ["dari.yml", "src/agent.ts", "test/agent.test.ts", "package.json", "tsconfig.json", ".gitignore"]],
    [["--python"], ["dari.yml", "agent.py", "test_agent.py", "requirements.txt", "requirements-dev.txt", ".gitignore"]],
  ])("init %j writes an agent that is valid, and overwrites nothing", async (options, files) => {
    await using root = await temporaryTree({});
    const written = await runDari(["init", "my agent", ...options, "--json"], { cwd: root.path });
    expect(JSON.parse(written.stdout)).toEqual({ root: "my agent", files });
    const { code, stdout } = await runDari(["manifest", "validate", "my agent"], { cwd: root.path });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("is valid: my agent") });
    await rm(join(root.path, "my agent", "dari.yml"));
    const again = await runDari(["init", "my agent", ...options], { cwd: root.path });
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("nothing was written");
    await expect(stat(join(root.path, "my agent", "dari.yml"))).rejects.toThrow("ENOENT");
  });

  test("refuses an agent that does not exist", async () => {
    await using root = await temporaryTree({});
    const refused = await runDari(["init", "--language", "python", "--kind", "pi"], { cwd: root.path });
    expect(refused).toMatchObject({ code: 2, stderr: "dari: pi agents are written in typescript, not python\n" });
  });
});

describe("at a terminal", () => {
  const answering = (...answers: string[]) => {
    const asked: string[] = [];
    return { asked, ask: (question: string) => Promise.resolve((asked.push(question), answers.shift() ?? "")) };
  };

  test.each([
    ["both", {}, ["2", "openai-agents"], { language: "python", kind: "openai-agents" }],
    ["both by default", {}, ["", ""], { language: "typescript", kind: "function" }],
    ["the kind", { python: true }, ["3"], { language: "python", kind: "claude-agent-sdk" }],
    ["the language", { kind: "function" as const }, ["python"], { language: "python", kind: "function" }],
    ["nothing for a kind of one language", { kind: "pi" as const }, [], { language: "typescript", kind: "pi" }],
  ])("asks for %s", async (_title, options, answers, chosen) => {
    const { asked, ask } = answering(...answers);
    expect(await chooseAgent(options, ask)).toEqual(chosen);
    expect(asked).toHaveLength(answers.length);
  });

  test("offers only what exists", async () => {
    const { asked, ask } = answering("2", "9");
    await expect(chooseAgent({}, ask)).rejects.toThrow("expected one of function, openai-agents, claude-agent-sdk");
    expect(asked[0]).toBe("Language:\n  1) typescript\n  2) python\nNumber or name [1]: ");
  });
});

describe.each(choices)("$kind in $language", ({ language, kind }) => {
  const files = templateFiles("Ünï agent", { language, kind }, apiUrl);

  test("is a valid manifest, and keeps local state out of git", () => {
    const parsed = parseManifest(files["dari.yml"] ?? "");
    expect(parsed).toMatchObject({ ok: true, manifest: { name: "Ünï agent", sdk: kind, runtime: { language } } });
    expect(files[".gitignore"]?.split("\n")).toEqual(expect.arrayContaining([".dari/", ".env"]));
  });
});

test.each([
  ["openai-agents", "openai-agents-js", "openai-agents-python"],
  ["claude-agent-sdk", "claude-agent-sdk-js", "claude-agent-sdk-python"],
  ["pi", "pi", undefined],
  ["opencode", "opencode", undefined],
] as const)("%s has the packages of the example", async (kind, typescript, python) => {
  const text = await readFile(join(repository, "examples", typescript, "package.json"), "utf8");
  expect(sdkPackages.typescript[kind]).toEqual((JSON.parse(text) as { dependencies: object }).dependencies);
  if (python === undefined) return;
  const requirements = await readFile(join(repository, "examples", python, "requirements.txt"), "utf8");
  expect(requirements).toContain(sdkPackages.python[kind as "openai-agents"]);
});

describe("the test of a function passes", () => {
  const filesOf = (language: "typescript" | "python", kind: InitKind = "function") =>
    temporaryTree(templateFiles("notes", { language, kind }, apiUrl));

  test("in TypeScript, and its types", async () => {
    await using root = await filesOf("typescript");
    await mkdir(join(root.path, "node_modules/@dari"), { recursive: true });
    await symlink(join(repository, "packages/agent"), join(root.path, "node_modules/@dari/agent"));
    await symlink(join(repository, "node_modules/@types"), join(root.path, "node_modules/@types"));
    const cwd = { cwd: root.path, env: { PATH: process.env["PATH"] } };
    const { stdout } = await run(process.execPath, ["--test", "test/agent.test.ts"], cwd);
    expect(stdout).toMatch(/pass 2\n[^]*fail 0\n/);
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    // The sources of the package need a newer library than its declarations, which an installed package has.
    expect(await run(process.execPath, [compiler, "--lib", "es2024"], cwd)).toMatchObject({ stdout: "" });
  });

  test("in Python", async () => {
    await using root = await filesOf("python");
    const env = { PATH: process.env["PATH"], PYTHONPATH: join(repository, "packages/agent-python/src") };
    const { stderr } = await run("python3", ["-B", "test_agent.py"], { cwd: root.path, env });
    expect(stderr).toMatch(/Ran 2 tests [^]*\nOK\n/);
  });
});

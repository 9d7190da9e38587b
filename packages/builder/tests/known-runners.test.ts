// What runs an export is loaded by the first check of a layer's packages, and by each where they may not be the same.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { filesOf, writeBundle } from "@dari/testkit/bundles";
import { readFile } from "node:fs/promises";
import { rememberRunners } from "../src/index.ts";
import { manifest, openBuilds, type Builds, type Choices, type Files } from "./build-fixture.ts";

const name = "@earendil-works/pi-coding-agent";
let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

/** An agent that is run by a package, whose module says that it is loaded. */
async function agentWith(source: string, more: object = {}): Promise<Files> {
  const about = { name, version: "1.0.0", type: "module", exports: "./index.js" };
  const members = { "package/package.json": JSON.stringify(about), "package/index.js": source };
  const tarball = await readFile(await writeBundle(builds.fresh(), filesOf(members)));
  const described = manifest("agent.js:agent", "runtime: {language: typescript}\n");
  return {
    "dari.yml": described.replace("opencode", "pi"),
    "package.json": JSON.stringify({ type: "module", dependencies: { [name]: "file:./runner.tgz" }, ...more }),
    "runner.tgz": tarball,
    "agent.js": "export const agent = {};\n",
  };
}

/** It is not bundled, because of what it imports. */
const says = `console.log("the runner is loaded");\nexport const x = await import("node:" + "fs");\n`;

/** Whether each of these builds has loaded it; text: how it failed. */
async function loads(rounds: readonly (readonly [Files, Choices?])[]): Promise<(boolean | string)[]> {
  const runners = rememberRunners();
  const seen: (boolean | string)[] = [];
  for (const [files, choices] of rounds) {
    const { result, log } = await builds.build(files, { runners, ...choices });
    seen.push(result.ok ? /^the runner is loaded$/m.test(log) : result.failure.message);
  }
  return seen;
}

test("other sources with the same packages need not load it again", async () => {
  const files = await agentWith(says);
  const other = { ...files, "agent.js": "export const agent = { other: 1 };\n" };
  expect(await loads([[files], [other], [other, { keyPrefix: "another" }]])).toEqual([true, false, true]);
});

test("other packages, another environment and another kind of export do", async () => {
  const files = await agentWith(says);
  const broken = await agentWith("throw new Error('the runner is broken');\n");
  const changed = { ...files, "dari.yml": `${files["dari.yml"] as string}env: {A: "1"}\n` };
  const number = { ...files, "agent.js": "export const agent = 7;\n" };
  expect(await loads([[files], [changed], [broken], [number]])).toEqual([
    true,
    true,
    expect.stringMatching(/the runner is broken/),
    expect.stringMatching(/is a number, which cannot be run under sdk: pi/),
  ]);
});

test("packages that are the agent's own do", async () => {
  const files = await agentWith(says, { name: "own", exports: "./agent.js" });
  expect(await loads([[files], [files]])).toEqual([true, true]);
});

test.each([["process.env.BAD = '1';"], ["globalThis.bad = true;"]])("an agent that does %s does", async (line) => {
  const files = await agentWith(`${says}if (process.env.BAD || globalThis.bad) throw new Error("it is bad");\n`);
  const other = { ...files, "agent.js": `${line}\nexport const agent = {};\n` };
  expect(await loads([[files], [other]])).toEqual([true, expect.stringMatching(/it is bad/)]);
});

test("an agent that fails is not passed for what ran before it", async () => {
  const files = await agentWith(says);
  const fails = { ...files, "agent.js": "export const agent = missing;\n" };
  expect(await loads([[files], [fails], [files]])).toEqual([
    true,
    expect.stringMatching(/missing is not defined/),
    false,
  ]);
});

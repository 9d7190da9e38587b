// An agent and its packages become one script where that does not change its behaviour, and stay separate otherwise.

import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { filesOf, writeBundle } from "@dari/testkit/bundles";
import { callNode, manifest, openBuilds, type Builds, type Choices, type Files, type Image } from "./build-fixture.ts";
import type { Runtimes } from "../src/index.ts";
import { prepareFilePath } from "../src/build/prepare-file-path.ts";

let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

/** Builds an agent with one package of these files. */
async function withPackage(
  files: Record<string, string>,
  agent: string,
  more: Files = {},
  choices: Choices = {},
): Promise<Image> {
  const members = Object.entries(files).map(([name, text]) => [`package/${name}`, text]);
  const tarball = await writeBundle(builds.fresh(), filesOf(Object.fromEntries(members) as Record<string, string>));
  const bundle = {
    "dari.yml": manifest("src/agent.ts:agent"),
    "package.json": JSON.stringify({ type: "module", dependencies: { pack: "file:pack.tgz" } }),
    "pack.tgz": await readFile(tarball),
    "src/agent.ts": agent,
    ...more,
  };
  return builds.imageOf(bundle, choices);
}

const packageOf = (more: object): string => JSON.stringify({ name: "pack", version: "1.0.0", type: "module", ...more });
const esm = packageOf({ exports: "./index.js" });

test("both are one script with a code cache, and files next to a module are found", async () => {
  const index = [
    `import { readFileSync } from "node:fs";`,
    `export const word = readFileSync(new URL("./word.txt", import.meta.url), "utf8");`,
  ];
  const answer = `p + word + __dirname.split("/").at(-1)`;
  const agent = `import { word } from "pack";\nexport const agent = (p: string): string => ${answer};`;
  const { entry, dir } = await withPackage(
    { "package.json": esm, "index.js": index.join("\n"), "word.txt": "!" },
    agent,
  );
  expect(entry).toBe(join(dir, "src/agent.dari.load.cjs"));
  expect(existsSync(join(dir, "src/agent.dari.cache"))).toBe(true);
  expect(callNode(entry)).toBe("hi!src");
});

test("an error names the line of the source, and the map speaks of no package", async () => {
  const lines = [`import { fail } from "pack";`, "", "export const agent = (p: string): void => {", "  fail(p);", "};"];
  const agent = lines.join("\n");
  const index = `export function fail(p) {\n  throw new Error(p);\n}\n`;
  const { entry, dir } = await withPackage({ "package.json": esm, "index.js": index }, agent);
  expect(() => callNode(entry)).toThrow(/src\/agent\.ts:4:3/);
  const map = JSON.parse(await readFile(join(dir, "src/agent.dari.bundle.cjs.map"), "utf8")) as { sources: string[] };
  expect(map.sources).toEqual(["agent.ts"]);
});

const namedBy = (file: string): string => `
function declared() {}
class Made {}
const arrow = () => { return 1; }, short = (a) => a, named = function own() {};
let later; later = async () => { return 1; };
const keys = { key: () => { return 1; }, "two words": () => 1, short: function* () {}, get got() { return () => 1; } };
keys.member = () => { return 1; };
const byDefault = ((given = () => { return 1; }) => given)();
const { found = () => 1 } = {};
let among; const counted = ((...some) => some.length)(among = () => 1, 2, "among");
const all = [declared, Made, arrow, short, named, later, ...Object.values(keys), keys.got, byDefault, found, among];
export const ${file} = [counted, ...all.map((one) => one.name)];
export default () => 1;
`;

test("functions and classes have the names of their source, also where two files use the same", async () => {
  const files = { "one.js": namedBy("one"), "two.js": namedBy("two") };
  const index = [
    `import first, { one } from "./one.js";`,
    `import second, { two } from "./two.js";`,
    `export const names = () => [one, two, first.name, second.name];`,
  ].join("\n");
  const agent = `import { names } from "pack";\nexport const agent = () => names();`;
  const { entry, dir } = await withPackage({ "package.json": esm, "index.js": index, ...files }, agent);
  expect(callNode(entry)).toEqual(callNode(join(dir, "src/agent.dari.mjs")));
});

describe("a character that is not of ASCII", () => {
  const build = (more: string): Promise<Image> => {
    const lines = [
      "export class Made {",
      "  /** \u00e9 */",
      `  word() { return "\u00e9"; }`,
      "}",
      `export const ${more};`,
    ];
    const agent = `import { Made, raw } from "pack";\nexport const agent = () => new Made().word() + raw;`;
    return withPackage({ "package.json": esm, "index.js": lines.join("\n") }, agent);
  };
  const scriptOf = ({ dir }: Image): Promise<string> => readFile(join(dir, "src/agent.dari.bundle.cjs"), "utf8");

  test("in a comment does not double the script", async () => {
    const image = await build(`raw = 1`);
    expect(callNode(image.entry)).toBe("\u00e91");
    expect(await scriptOf(image)).toMatch(/^[\0-\x7f]*$/);
  });

  test("that means something stays what it is", async () => {
    const image = await build("raw = String.raw`\u00e9` + /\u00e9/.source");
    expect(callNode(image.entry)).toBe("\u00e9\u00e9\u00e9");
    expect(await scriptOf(image)).toContain("String.raw`\u00e9`");
  });
});

describe("V8 accepts the code cache", () => {
  const nodes = [process.execPath, "/usr/bin/node", "/usr/local/bin/node"].filter((path) => existsSync(path));
  const interpreters = [...new Set(nodes.map((path) => realpathSync(path)))];
  const spy = `
const vm = require("node:vm");
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    if (options.cachedData !== undefined) console.log(this.cachedDataRejected);
  }
};`;

  function runtimesWith(command: string): Runtimes {
    const version = execFileSync(command, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
    const runtime = { language: "typescript" as const, version, command, readOnlyPaths: [command] };
    return { ...builds.runtimes, resolve: () => Promise.resolve(runtime) };
  }

  /** What the preload script reports about a start of the agent, after the guest's flags are removed. */
  async function judge(node: string, entry: string): Promise<string> {
    const file = `${builds.fresh()}.cjs`;
    await writeFile(file, spy);
    const args = ["--require", file, "-e", `require(${JSON.stringify(entry)})`];
    return execFileSync(node, args, { encoding: "utf8", env: {} });
  }

  const index = `export const n = Array.from({ length: 9 }, (_, i) => i);`;
  test.each(interpreters)("%s", async (node) => {
    const agent = `import { n } from "pack";\nexport const agent = () => n;`;
    const files = { "package.json": esm, "index.js": index };
    const { entry } = await withPackage(files, agent, {}, { runtimes: runtimesWith(node) });
    expect(entry).toMatch(/\.load\.cjs$/);
    expect(await judge(node, entry)).toBe("false\n");
  });
});

test("a strict CommonJS module stays strict", async () => {
  const strict = "(function () { return this === undefined && __dirname; })()";
  const index = `/* banner */\n"use strict";\nexports.strict = ${strict};`;
  const files = { "package.json": packageOf({ type: "commonjs", main: "index.js" }), "index.js": index };
  const { entry } = await withPackage(files, `import { strict } from "pack";\nexport const agent = () => strict;`);
  expect(entry).toMatch(/\.load\.cjs$/);
  expect(callNode(entry)).toMatch(/node_modules\/pack$/);
});

const counter = { "package.json": esm, "index.js": "export const n = globalThis.first ?? 0;\nexport default 7;" };

test("sources and packages run in the order of the imports", async () => {
  const agent = `import "./first.ts";\nimport seven, { n } from "pack";\nexport const agent = () => [seven, n];`;
  const first = { "src/first.ts": "globalThis.first = 1;\nexport {};" };
  const { entry } = await withPackage(counter, agent, first);
  expect(entry).toMatch(/\.load\.cjs$/);
  expect(callNode(entry)).toEqual([7, 1]);
});

test("a name that a package does not have fails the build", async () => {
  const agent = `import { nope } from "pack";\nexport const agent = () => nope;`;
  await expect(withPackage(counter, agent)).rejects.toThrow(/nope/);
});

test("packages that need the manifest's environment are one script with the agent", async () => {
  const index = `if (!process.env.MODE) throw new Error("no mode");\nexport const n = 1;`;
  const yml = { "dari.yml": manifest("src/agent.ts:agent", "env: {MODE: x}\n") };
  const agent = `import { n } from "pack";\nexport const agent = () => n;`;
  const { entry } = await withPackage({ "package.json": esm, "index.js": index }, agent, yml);
  expect(entry).toMatch(/\.load\.cjs$/);
});

test("this process writes no file through a link of a tree", async () => {
  const [tree, outside] = [builds.fresh(), builds.fresh()];
  await mkdir(join(tree, "src"), { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, "kept"), "kept");
  await symlink(join(outside, "kept"), join(tree, "src/agent.dari.cache"));
  await writeFile(await prepareFilePath(tree, "src/agent.dari.cache"), "new");
  expect(await readFile(join(outside, "kept"), "utf8")).toBe("kept");
  expect(await readFile(join(tree, "src/agent.dari.cache"), "utf8")).toBe("new");
  await symlink(outside, join(tree, "away"));
  await expect(prepareFilePath(tree, "away/kept")).rejects.toThrow("away leads out of the bundle");
  expect(existsSync(join(outside, "kept"))).toBe(true);
});

describe("packages are loaded one by one", () => {
  const agent = `import { n } from "pack";\nexport const agent = (): unknown => n;`;
  const obstacles: [string, Record<string, string>, RegExp][] = [
    [
      "where one requires what it computes",
      { "index.js": `export const n = 1, load = (name) => require(name);` },
      /index\.js: /,
    ],
    [
      "where one imports what it computes",
      { "index.js": `export const n = 1, load = (name) => import(name);` },
      /index\.js: /,
    ],
    [
      "where one makes a require of its own",
      {
        "index.js": [
          `import { createRequire } from "node:module";`,
          `export const n = createRequire(import.meta.url)("./n.json");`,
        ].join("\n"),
        "n.json": "1",
      },
      /finds modules by itself/,
    ],
    ["where one waits while it is loaded", { "index.js": `export const n = await Promise.resolve(1);` }, /await/],
  ];
  test.each(obstacles)("%s", async (_name, files, reason) => {
    const { entry, log } = await withPackage({ "package.json": esm, ...files }, agent);
    expect(entry).toMatch(/src\/agent\.dari\.mjs$/);
    expect(log).toMatch(new RegExp(`packages are loaded one by one: .*${reason.source}`));
    expect(callNode(entry)).toBe(1);
  });

  test("if the script does not load although the sources do", async () => {
    const own = `new Error().stack.includes("node_modules")`;
    const index = `if (!${own}) throw new Error("bundled");\nexport const n = 1;`;
    const { entry, log } = await withPackage({ "package.json": esm, "index.js": index }, agent);
    expect(log).toMatch(/does not load as one script/);
    expect(callNode(entry)).toBe(1);
  });
});

test("a package that is a folder of the bundle is built from its current sources", async () => {
  const publish = (word: string): Promise<Image> =>
    builds.imageOf({
      "dari.yml": manifest("src/agent.ts:agent"),
      "package.json": JSON.stringify({ type: "module", dependencies: { lib: "file:./lib" } }),
      "lib/package.json": JSON.stringify({ name: "lib", version: "1.0.0", type: "module", exports: "./index.js" }),
      "lib/index.js": `export const word = ${JSON.stringify(word)};`,
      "src/agent.ts": `import { word } from "lib";\nexport const agent = (p: string): string => p + word;`,
    });
  expect(callNode((await publish(" one")).entry)).toBe("hi one");
  expect(callNode((await publish(" two")).entry)).toBe("hi two");
});

// An agent and its packages become one script where that changes nothing, and stay as they are elsewhere.

import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callNode, manifest, openBuilds, type Builds, type Files, type Image } from "./build-fixture.ts";
import { placeInTree } from "../src/build/place-in-tree.ts";
import { filesOf, writeBundle } from "./bundles.ts";

let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

/** Builds an agent with one package of these files. */
async function withPackage(files: Record<string, string>, agent: string, more: Files = {}): Promise<Image> {
  const members = Object.entries(files).map(([name, text]) => [`package/${name}`, text]);
  const tarball = await writeBundle(builds.fresh(), filesOf(Object.fromEntries(members) as Record<string, string>));
  return builds.imageOf({
    "dari.yml": manifest("src/agent.ts:agent"),
    "package.json": JSON.stringify({ type: "module", dependencies: { pack: "file:pack.tgz" } }),
    "pack.tgz": await readFile(tarball),
    "src/agent.ts": agent,
    ...more,
  });
}

const packageOf = (more: object): string => JSON.stringify({ name: "pack", version: "1.0.0", type: "module", ...more });
const esm = packageOf({ exports: "./index.js" });

test("both are one script with a code cache, and files beside a module are found", async () => {
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
  const map = JSON.parse(await readFile(join(dir, "src/agent.dari.own.cjs.map"), "utf8")) as { sources: string[] };
  expect(map.sources).toEqual(["agent.ts"]);
});

test("a strict CommonJS module stays strict", async () => {
  const strict = "(function () { return this === undefined && __dirname; })()";
  const index = `/* banner */\n"use strict";\nexports.strict = ${strict};`;
  const files = { "package.json": packageOf({ type: "commonjs", main: "index.js" }), "index.js": index };
  const { entry } = await withPackage(files, `import { strict } from "pack";\nexport const agent = () => strict;`);
  expect(entry).toMatch(/\.load\.cjs$/);
  expect(callNode(entry)).toMatch(/node_modules\/pack$/);
});

describe("packages as a script of their own", () => {
  const counter = { "package.json": esm, "index.js": "export const n = globalThis.first ?? 0;\nexport default 7;" };

  test("are bundled once for all sources, and equal bundles are equal images", async () => {
    const agent = `import seven, { n } from "pack";\nexport const agent = () => [seven, n];`;
    const [first, same, other] = [
      await withPackage(counter, agent),
      await withPackage(counter, agent),
      await withPackage(counter, `${agent}\nexport const more = 1;`),
    ];
    expect(callNode(first.entry)).toEqual([7, 0]);
    expect(same.dir).toBe(first.dir);
    expect(other.dir).not.toBe(first.dir);
    // V8 makes another one each time.
    for (const name of ["src/agent.dari.packages.cjs", "src/agent.dari.cache"]) {
      expect((await readFile(join(other.dir, name))).equals(await readFile(join(first.dir, name)))).toBe(true);
    }
  });

  test("a source that runs before a package does so in one script", async () => {
    const agent = `import "./first.ts";\nimport { n } from "pack";\nexport const agent = () => n;`;
    const { entry, dir } = await withPackage(counter, agent, { "src/first.ts": "globalThis.first = 1;\nexport {};" });
    expect(existsSync(join(dir, "src/agent.dari.bundle.cjs"))).toBe(true);
    expect(callNode(entry)).toBe(1);
  });

  test("a name that a package does not have fails the build", async () => {
    const agent = `import { nope } from "pack";\nexport const agent = () => nope;`;
    await expect(withPackage(counter, agent)).rejects.toThrow(/nope/);
  });

  test("packages that do not load by themselves are one script with the agent", async () => {
    const index = `if (!process.env.MODE) throw new Error("no mode");\nexport const n = 1;`;
    const yml = { "dari.yml": manifest("src/agent.ts:agent", "env: {MODE: x}\n") };
    const agent = `import { n } from "pack";\nexport const agent = () => n;`;
    const { dir, entry } = await withPackage({ "package.json": esm, "index.js": index }, agent, yml);
    expect(entry).toMatch(/\.load\.cjs$/);
    expect(existsSync(join(dir, "src/agent.dari.bundle.cjs"))).toBe(true);
  });

  test("this process writes no file through a link of a tree", async () => {
    const [tree, outside] = [builds.fresh(), builds.fresh()];
    await mkdir(join(tree, "src"), { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, "kept"), "kept");
    await symlink(join(outside, "kept"), join(tree, "src/agent.dari.cache"));
    await writeFile(await placeInTree(tree, "src/agent.dari.cache"), "new");
    expect(await readFile(join(outside, "kept"), "utf8")).toBe("kept");
    expect(await readFile(join(tree, "src/agent.dari.cache"), "utf8")).toBe("new");
    await symlink(outside, join(tree, "away"));
    await expect(placeInTree(tree, "away/kept")).rejects.toThrow("away leads out of the bundle");
    expect(existsSync(join(outside, "kept"))).toBe(true);
  });
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

  test("where the script does not load although the sources do", async () => {
    const own = `new Error().stack.includes("node_modules")`;
    const index = `if (!${own}) throw new Error("bundled");\nexport const n = 1;`;
    const { entry, log } = await withPackage({ "package.json": esm, "index.js": index }, agent);
    expect(log).toMatch(/does not load as one script/);
    expect(callNode(entry)).toBe(1);
  });
});

test("a package that is a folder of the bundle is built as it is now, not as it was", async () => {
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

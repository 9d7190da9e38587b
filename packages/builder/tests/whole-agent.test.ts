// An agent and its packages become one script where that changes nothing, and stay as they are elsewhere.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callNode, manifest, openBuilds, type Builds, type Files, type Image } from "./build-fixture.ts";
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
  const map = JSON.parse(await readFile(join(dir, "src/agent.dari.bundle.cjs.map"), "utf8")) as { sources: string[] };
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

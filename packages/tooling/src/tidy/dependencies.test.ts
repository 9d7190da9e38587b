// Who may import whom: the dependency table and the homes of vendors, held against every import and every package.json.

import { describe, expect, test } from "@jest/globals";
import { memberOf, isTest, sourceFiles, textFiles } from "./files.ts";
import { importsOf, packageOf } from "./imports.ts";
import { assembledOnly, assemblyFiles, dependencyTable, testsMayImport, testVendors, vendorHomes } from "./laws.ts";

interface Use {
  readonly file: string;
  readonly member: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const isModule = (name: string): boolean => /\.(tsx?|mjs)$/.test(name);

const uses: readonly Use[] = sourceFiles.flatMap(({ path: file, text }) => {
  const member = memberOf(file);
  if (!member || !isModule(file)) return [];
  return importsOf(file, text).flatMap(({ specifier, typeOnly }) => {
    const target = packageOf(specifier);
    return target === undefined || target === `@dari/${member}` ? [] : [{ file, member, target, typeOnly }];
  });
});

const manifests = textFiles.flatMap(({ path, text }) => {
  const member = /^(apps|packages)\/[^/]+\/package\.json$/.test(path) ? memberOf(path) : undefined;
  if (member === undefined) return [];
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  return [{ member, dependencies: Object.keys(dependencies) }];
});

const internal = (target: string): string | undefined => /^@dari\/(.+)$/.exec(target)?.[1];
const homesOf = (vendor: string): readonly string[] =>
  vendorHomes[vendor] ?? vendorHomes[vendor.replace(/\/.*/, "/*")] ?? [];

/** Harness guests and bundles under test are other people's code: what they import is the point of the test. */
const isFixture = (file: string): boolean => /\/(tests\/programs|guest)\//.test(file);

function show({ file, target }: Use): string {
  return `${file} imports ${target}`;
}

describe("dependencies", () => {
  test("every member of the workspace has a row in the table", () => {
    const members = manifests.map(({ member }) => member);
    expect(members.filter((member) => !(member in dependencyTable))).toEqual([]);
  });

  test("members import only what their row allows", () => {
    const wrong = uses.filter(({ file, member, target }) => {
      const name = internal(target);
      if (name === undefined || dependencyTable[member]?.includes(name)) return false;
      return !(isTest(file) && testsMayImport.includes(name));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test("each package.json declares only what its row allows", () => {
    const wrong = manifests.flatMap(({ member, dependencies }) =>
      dependencies
        .map(internal)
        .filter((name) => name !== undefined && !dependencyTable[member]?.includes(name))
        .map((name) => `${member}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test("every vendor is imported in its home only", () => {
    const wrong = uses.filter(({ file, member, target }) => {
      if (internal(target) !== undefined || isFixture(file)) return false;
      return !homesOf(target).includes(member) && !(isTest(file) && testVendors.includes(target));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test("programs meet the database and the object store only where they are assembled", () => {
    const wrong = uses.filter(({ file, target, typeOnly }) => {
      const name = internal(target) ?? "";
      const program = /^apps\/(api|worker|reconciler|standalone)\/src\//.test(file) && !isTest(file);
      return program && !typeOnly && assembledOnly.includes(name) && !assemblyFiles.test(file);
    });
    expect(wrong.map(show)).toEqual([]);
  });
});

// Which package may import which: checks the dependency table and the homes of vendors against every import and every
// package.json.

import { describe, expect, test } from "@jest/globals";
import { packageOf, isTest, sourceFiles, textFiles } from "./files.ts";
import { importsOf, npmPackageOf } from "./imports.ts";
import { assembledOnly, assemblyFiles, dependencyTable, testsMayImport, testVendors, vendorHomes } from "./laws.ts";

interface Use {
  readonly file: string;
  readonly pkg: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const isModule = (name: string): boolean => /\.(tsx?|mjs)$/.test(name);

const uses: readonly Use[] = sourceFiles.flatMap(({ path: file, text }) => {
  const pkg = packageOf(file);
  if (!pkg || !isModule(file)) return [];
  return importsOf(file, text).flatMap(({ specifier, typeOnly }) => {
    const target = npmPackageOf(specifier);
    return target === undefined || target === `@dari/${pkg}` ? [] : [{ file, pkg, target, typeOnly }];
  });
});

const manifests = textFiles.flatMap(({ path, text }) => {
  const pkg = /^(apps|packages)\/[^/]+\/package\.json$/.test(path) ? packageOf(path) : undefined;
  if (pkg === undefined) return [];
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  return [{ pkg, dependencies: Object.keys(dependencies) }];
});

const internal = (target: string): string | undefined => /^@dari\/(.+)$/.exec(target)?.[1];
const homesOf = (vendor: string): readonly string[] =>
  vendorHomes[vendor] ?? vendorHomes[vendor.replace(/\/.*/, "/*")] ?? [];

/** Harness guests and bundles under test are user code, whose imports are the point of the test. */
const isFixture = (file: string): boolean => /\/(tests\/programs|guest)\//.test(file);

function show({ file, target }: Use): string {
  return `${file} imports ${target}`;
}

describe("dependencies", () => {
  test("every package of this repository has a row in the table", () => {
    const packages = manifests.map(({ pkg }) => pkg);
    expect(packages.filter((pkg) => !(pkg in dependencyTable))).toEqual([]);
  });

  test("packages import only what their row allows", () => {
    const wrong = uses.filter(({ file, pkg, target }) => {
      const name = internal(target);
      if (name === undefined || dependencyTable[pkg]?.includes(name)) return false;
      return !(isTest(file) && testsMayImport.includes(name));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test("each package.json declares only what its row allows", () => {
    const wrong = manifests.flatMap(({ pkg, dependencies }) =>
      dependencies
        .map(internal)
        .filter((name) => name !== undefined && !dependencyTable[pkg]?.includes(name))
        .map((name) => `${pkg}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test("every vendor is imported in its home only", () => {
    const wrong = uses.filter(({ file, pkg, target }) => {
      if (internal(target) !== undefined || isFixture(file)) return false;
      return !homesOf(target).includes(pkg) && !(isTest(file) && testVendors.includes(target));
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

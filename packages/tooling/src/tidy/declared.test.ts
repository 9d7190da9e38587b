// Every package in a package.json is imported somewhere, and shipped code runs without development dependencies.

import { describe, expect, test } from "@jest/globals";
import { isTest, packageOf, textFiles } from "./files.ts";
import { npmPackageOf, type Import } from "./imports.ts";
import { notShipped, usedWithoutImport } from "./laws.ts";
import { importsByModule } from "./module-graph.ts";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Declared {
  /** "apps/api/"; "" for the root. */
  readonly folder: string;
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

const manifests: readonly Declared[] = textFiles.flatMap(({ path, text }) => {
  const folder = /^((?:apps|packages)\/[^/]+\/)?package\.json$/.exec(path);
  if (folder === null) return [];
  const { name, dependencies = {}, devDependencies = {} } = JSON.parse(text) as Manifest;
  const keys = { dependencies: Object.keys(dependencies), devDependencies: Object.keys(devDependencies) };
  return [{ folder: folder[1] ?? "", name, ...keys }];
});

/** Packages that the modules below a folder import. */
function importedBelow(folder: string, isCounted: (file: string, item: Import) => boolean): Set<string> {
  const files = [...importsByModule].filter(([file]) => file.startsWith(folder));
  return new Set(
    files.flatMap(([file, imports]) =>
      imports.filter((item) => isCounted(file, item)).flatMap(({ specifier }) => npmPackageOf(specifier) ?? []),
    ),
  );
}

/** `@types/react-dom` serves `react-dom`, and `@types/a__b` serves `@a/b`. */
function servedBy(name: string): string {
  const typed = /^@types\/(?:(.+)__)?(.+)$/.exec(name);
  if (typed === null) return name;
  return typed[1] === undefined ? typed[2]! : `@${typed[1]}/${typed[2]}`;
}

describe.each(manifests.map((manifest) => [manifest.name, manifest] as const))("%s", (_name, declared) => {
  const { folder, dependencies, devDependencies } = declared;
  const excused = Object.keys(usedWithoutImport[folder] ?? {});
  const everywhere = importedBelow(folder, () => true);

  test("imports what it declares", () => {
    const unused = [...dependencies, ...devDependencies].filter(
      (name) => !everywhere.has(servedBy(name)) && !excused.includes(name),
    );
    expect(unused).toEqual([]);
  });

  test("declares nothing twice, and excuses only what it declares and does not import", () => {
    const both = dependencies.filter((name) => devDependencies.includes(name));
    const all = [...dependencies, ...devDependencies];
    expect([...both, ...excused.filter((name) => !all.includes(name) || everywhere.has(name))]).toEqual([]);
  });

  test("ships with what its shipped code imports, and with nothing that only tests import", () => {
    const shipped = importedBelow(folder, (file) => !isTest(file));
    const loaded = importedBelow(folder, (file, { typeOnly }) => !isTest(file) && !typeOnly);
    const isShipped = folder !== "" && !notShipped.includes(packageOf(folder)!);
    const missing = isShipped ? devDependencies.filter((name) => loaded.has(name)) : [];
    const needless = dependencies.filter((name) => !shipped.has(name) && everywhere.has(name));
    expect({ missing, needless }).toEqual({ missing: [], needless: [] });
  });
});

// The areas of packages/control: which may import which, and that each is imported only through its index. The queries
// of packages/db are in folders of the same names.

import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { sourceFiles, textFiles } from "./files.ts";
import { importsOf } from "./imports.ts";
import { controlAreas } from "./laws.ts";

const source = "packages/control/src/";
const areas: readonly string[] = controlAreas;
const files = sourceFiles.filter(({ path: file }) => file.startsWith(source));

/** The area of a path below packages/control/src; undefined for anything else. */
const areaOf = (file: string): string | undefined => new RegExp(`^${source}([^/]+)/`).exec(file)?.[1];

/** Returns why a file may not import this specifier; undefined if it may. */
function breach(file: string, specifier: string): string | undefined {
  const area = areaOf(file) ?? "";
  if (specifier.startsWith(".")) {
    const target = path.posix.join(path.posix.dirname(file), specifier);
    return areaOf(target) === area ? undefined : `${file}: ${specifier} leaves its area; import the other area's index`;
  }
  const [, other] = /^@dari\/control\/?(.*)$/.exec(specifier) ?? [];
  if (other === undefined) return undefined;
  if (!areas.includes(other)) return `${file}: there is no area ${specifier}`;
  return areas.indexOf(other) < areas.indexOf(area) ? undefined : `${file}: ${area} is not above ${other}`;
}

describe("areas of control", () => {
  test("every file is in an area, and the package exports the areas alone", () => {
    const found = new Set(files.map(({ path: file }) => areaOf(file)));
    expect([...found].sort()).toEqual([...areas].sort());
    const manifest = textFiles.find(({ path: file }) => file === "packages/control/package.json")?.text ?? "{}";
    const { exports } = JSON.parse(manifest) as { exports: Readonly<Record<string, string>> };
    expect(exports).toEqual(Object.fromEntries(areas.map((area) => [`./${area}`, `./src/${area}/index.ts`])));
  });

  test("an area imports lower areas only, through their index", () => {
    const breaches = files.flatMap(({ path: file, text }) =>
      importsOf(file, text).flatMap(({ specifier }) => breach(file, specifier) ?? []),
    );
    expect(breaches).toEqual([]);
  });

  test.each([
    ["up", "turns/a.ts", "@dari/control/storage"],
    ["its own index", "turns/a.ts", "@dari/control/turns"],
    ["past an index", "storage/files/a.ts", "../../turns/claims/claim-turn.ts"],
    ["past an index, by name", "storage/a.ts", "@dari/control/turns/claims/claim-turn.ts"],
  ])("an import %s is refused", (_what, file, specifier) => {
    expect(breach(source + file, specifier)).toBeDefined();
  });

  test("an index exports only what is imported from outside its area", () => {
    const named = /import(?:\s+type)?\s+\{([^}]*)\}\s+from\s+"@dari\/control\/([a-z]+)"/g;
    const used = new Set(
      sourceFiles.flatMap(({ text }) =>
        [...text.matchAll(named)].flatMap(([, names = "", area = ""]) =>
          [...names.matchAll(/(?:^|,)\s*(?:type\s+)?(\w+)/g)].map(([, name = ""]) => `${area}: ${name}`),
        ),
      ),
    );
    const exported = areas.flatMap((area) => {
      const index = files.find(({ path: file }) => file === `${source}${area}/index.ts`)?.text ?? "";
      return [...index.matchAll(/\{([^}]*)\} from/g)].flatMap(([, names = ""]) =>
        [...names.matchAll(/(?:^|,)\s*(?:type\s+)?(\w+)/g)].map(([, name = ""]) => `${area}: ${name}`),
      );
    });
    expect(exported.length).toBeGreaterThan(100);
    expect(exported.filter((name) => !used.has(name))).toEqual([]);
  });
});

describe("areas of queries", () => {
  const queries = "packages/db/src/queries/";
  const areaOfQuery = (file: string): number => areas.indexOf(file.slice(queries.length).split("/")[0] ?? "");
  const found = sourceFiles.filter(({ path: file }) => file.startsWith(queries));

  test("every file is in an area of control", () => {
    expect(found.length).toBeGreaterThan(50);
    expect(found.filter(({ path: file }) => areaOfQuery(file) < 0).map(({ path: file }) => file)).toEqual([]);
  });

  test("an area imports lower areas only", () => {
    const up = found.flatMap(({ path: file, text }) =>
      importsOf(file, text)
        .map(({ specifier }) => path.posix.join(path.posix.dirname(file), specifier))
        .filter((target) => target.startsWith(queries) && areaOfQuery(target) > areaOfQuery(file))
        .map((target) => `${file}: ${target} is in a higher area`),
    );
    expect(up).toEqual([]);
  });
});

// What the API and the reconciler load, and that no modules import each other in a ring.

import { describe, expect, test } from "@jest/globals";
import { packageOf } from "./files.ts";
import { npmPackageOf } from "./imports.ts";
import { judge } from "./judge.ts";
import { runsNoAgents } from "./laws.ts";
import { closureOf, importsByModule, loads, modules, reads, ringsOf } from "./module-graph.ts";

const { programs, packages, vendors } = runsNoAgents;
const isForbidden = (module: string): boolean => packages.includes(packageOf(module) ?? "");

describe.each(programs)("%s", (entry) => {
  test("loads nothing that builds, isolates or runs agents", () => {
    const closure = closureOf(entry, isForbidden);
    const wrong = judge(
      "loads nothing that runs agents",
      modules.filter(({ path }) => closure.has(path) && !isForbidden(path)),
      ({ path }) => {
        const targets = [...loads.get(path)!].filter(isForbidden);
        const imported = importsByModule.get(path)!.filter(({ typeOnly }) => !typeOnly);
        const names = imported.flatMap(({ specifier }) => npmPackageOf(specifier) ?? []);
        return [...targets, ...names.filter((name) => vendors.includes(name))].map(
          (target) => `${path} loads ${target}`,
        );
      },
    );
    expect(wrong).toEqual([]);
  });

  test("loads modules of other packages, so that the law looks at something", () => {
    const loaded = new Set([...closureOf(entry)].map(packageOf));
    expect([...loaded]).toEqual(expect.arrayContaining(["control", "db", "domain"]));
  });
});

describe("no modules import each other in a ring", () => {
  test.each([
    ["at run time", loads],
    ["counting types", reads],
  ])("%s", (kind, graph) => {
    const rings = ringsOf(graph);
    const wrong = judge(`import ring ${kind}`, modules, ({ path }) => {
      const ring = rings.find((files) => files.includes(path));
      return ring === undefined ? [] : [`${path} is in a ring with ${ring.filter((one) => one !== path).join(", ")}`];
    });
    expect(wrong).toEqual([]);
  });

  test("a ring is found, also through a third module and of a module with itself", () => {
    const edges = { a: ["b"], b: ["c"], c: ["a", "d"], d: [], e: ["e", "a"] };
    const graph = new Map(Object.entries(edges).map(([from, to]) => [from, new Set(to)]));
    expect(ringsOf(graph)).toEqual([["a", "b", "c"], ["e"]]);
  });
});

// Which module of this repository imports which, what a program loads, and where imports form a ring.

import path from "node:path";
import { sourceFiles, textFiles, type RepositoryFile } from "./files.ts";
import { importsOf, type Import } from "./imports.ts";

export const isModule = (name: string): boolean => /\.(tsx?|mjs|cjs|js)$/.test(name);

/** Every module that is written for this repository. */
export const modules: readonly RepositoryFile[] = sourceFiles.filter(({ path: name }) => isModule(name));

export const importsByModule: ReadonlyMap<string, readonly Import[]> = new Map(
  modules.map(({ path: name, text }) => [name, importsOf(name, text)]),
);

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
}

/** "@dari/db" or "@dari/native/namespace" → the path of the module that it names. */
const entries: ReadonlyMap<string, string> = new Map(
  textFiles.flatMap(({ path: file, text }) => {
    if (!/^(apps|packages)\/[^/]+\/package\.json$/.test(file)) return [];
    const { name, exports = {} } = JSON.parse(text) as Manifest;
    return Object.entries(exports).map(([subpath, target]) => [
      path.posix.join(name, subpath),
      path.posix.join(path.posix.dirname(file), target),
    ]);
  }),
);

/** Returns the module of this repository that an import means; undefined for vendors, Node's own and generated ones. */
function resolveImport(from: string, specifier: string): string | undefined {
  const isPath = specifier.startsWith(".");
  const target = isPath ? path.posix.join(path.posix.dirname(from), specifier) : entries.get(specifier);
  return target !== undefined && importsByModule.has(target) ? target : undefined;
}

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

function graphOf(isEdge: (item: Import) => boolean): Graph {
  const edges = [...importsByModule].map(([from, imports]): [string, Set<string>] => {
    const targets = imports.filter(isEdge).map(({ specifier }) => resolveImport(from, specifier));
    return [from, new Set(targets.filter((target) => target !== undefined))];
  });
  return new Map(edges);
}

/** The modules that are loaded at run time. */
export const loads: Graph = graphOf(({ typeOnly }) => !typeOnly);
/** The same, plus those that are imported only for their types. */
export const reads: Graph = graphOf(() => true);

/** Returns every module that is loaded with `entry`. `stopAt`: modules that are included, but not followed. */
export function closureOf(entry: string, stopAt: (module: string) => boolean = () => false): Set<string> {
  if (!loads.has(entry)) throw new Error(`there is no module ${entry}`);
  const found = new Set([entry]);
  const queue = [entry];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (stopAt(next)) continue;
    for (const target of loads.get(next) ?? []) {
      if (found.has(target)) continue;
      found.add(target);
      queue.push(target);
    }
  }
  return found;
}

/** Returns the groups of modules that import each other in a ring, directly or through others (Tarjan). */
export function ringsOf(graph: Graph): string[][] {
  const rings: string[][] = [];
  const order = new Map<string, number>();
  const stack: string[] = [];
  const visit = (node: string): number => {
    const index = order.size;
    order.set(node, index);
    stack.push(node);
    let low = index;
    for (const target of graph.get(node) ?? []) {
      if (!order.has(target)) low = Math.min(low, visit(target));
      else if (stack.includes(target)) low = Math.min(low, order.get(target)!);
    }
    if (low === index) {
      const ring = stack.splice(stack.indexOf(node));
      if (ring.length > 1 || graph.get(node)!.has(node)) rings.push(ring.sort());
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return rings;
}

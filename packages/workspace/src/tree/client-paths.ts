// A tree as clients see it: absolute paths below `workspace/`. The `state/` tree is never shown.

import type { Tree, TreeEntry } from "./tree.ts";

const root = "workspace";
const linksMax = 40;

export interface ListedEntry {
  /** Absolute: `/output/report.pdf`. */
  readonly path: string;
  readonly type: TreeEntry["type"];
  /** Null for everything but files. */
  readonly size_bytes: number | null;
}

/**
 * Lists a directory, sorted; everything below it if `recursive`. A symlink is listed as one and not followed. `path` is
 * normalized (`/output`). Returns undefined if there is no such directory.
 */
export function listDirectory(tree: Tree, path: string, o: { recursive?: boolean } = {}): ListedEntry[] | undefined {
  const directory = treePathOf(path);
  if (directory !== root && tree.get(directory)?.type !== "directory") return undefined;
  const prefix = `${directory}/`;
  const listed: ListedEntry[] = [];
  for (const [at, { type, sizeBytes }] of tree) {
    if (!at.startsWith(prefix) || (o.recursive !== true && at.includes("/", prefix.length))) continue;
    listed.push({ path: clientPathOf(at), type, size_bytes: type === "file" ? sizeBytes : null });
  }
  return listed;
}

export type Resolved =
  | { readonly kind: "found"; readonly entry: TreeEntry }
  | { readonly kind: "root" }
  | { readonly kind: "missing" }
  /** A symlink on the way leaves the workspace, or symlinks form a cycle. */
  | { readonly kind: "outside" };

/**
 * Returns the file or directory at a client's path, following symlinks within the tree. An absolute target is read as
 * the agent sees it: below `/workspace` it is inside, everything else is outside.
 */
export function resolvePath(tree: Tree, path: string): Resolved {
  const pending = path.split("/").filter(isName).reverse();
  const reached: string[] = [];
  for (let links = 0; pending.length > 0;) {
    const name = pending.pop() ?? "";
    if (name === "..") {
      if (reached.pop() === undefined) return { kind: "outside" };
      continue;
    }
    const entry = tree.get([root, ...reached, name].join("/"));
    if (entry === undefined) return { kind: "missing" };
    if (entry.type !== "symlink") {
      if (entry.type === "file" && pending.length > 0) return { kind: "missing" };
      reached.push(name);
      continue;
    }
    const target = (entry.target ?? "").split("/").filter(isName);
    if (++links > linksMax) return { kind: "outside" };
    if (entry.target?.startsWith("/")) {
      if (target.shift() !== root) return { kind: "outside" };
      reached.length = 0;
    }
    pending.push(...target.reverse());
  }
  if (reached.length === 0) return { kind: "root" };
  const entry = tree.get([root, ...reached].join("/"));
  return entry === undefined ? { kind: "missing" } : { kind: "found", entry };
}

/** `/output` → `workspace/output`, `/` → `workspace`. */
export function treePathOf(clientPath: string): string {
  return clientPath === "/" ? root : `${root}${clientPath}`;
}

/** `workspace/output` → `/output`; undefined for paths that clients do not see. */
export function findClientPath(treePath: string): string | undefined {
  return treePath.startsWith(`${root}/`) ? clientPathOf(treePath) : undefined;
}

function clientPathOf(treePath: string): string {
  return treePath.slice(root.length);
}

function isName(name: string): boolean {
  return name !== "" && name !== ".";
}

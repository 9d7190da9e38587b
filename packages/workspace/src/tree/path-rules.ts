// Checks whether a tree may be written to a disk. This is the only guard against malicious paths in a manifest.

import { limits } from "@dari/domain";
import { isTreeRoot, parentOf, type Tree } from "./tree.ts";

const nameBytesMax = 255;
const [slash, dot, asciiMax] = [0x2f, 0x2e, 0x7f];
/** Trees that passed the check. A tree never changes, so it is checked once. */
const sound = new WeakSet<Tree>();

/** Returns what is wrong with a path of a manifest, or undefined. */
export function pathProblem(path: string): string | undefined {
  return isPlainPath(path) ? undefined : problemOf(path);
}

// Recognizes nearly all valid paths in one pass over their characters, because a large tree has many paths. All other
// paths get the full check.
function isPlainPath(path: string): boolean {
  const start = path.startsWith("workspace/") ? "workspace/".length : "state/".length;
  if (start === "state/".length && !path.startsWith("state/")) return false;
  if (path.length > limits.workspacePathBytes) return false;
  let nameAt = start;
  for (let i = start; i <= path.length; i++) {
    // NaN after the last letter.
    const letter = path.charCodeAt(i);
    if (letter === 0 || letter > asciiMax) return false;
    if (i < path.length && letter !== slash) continue;
    const length = i - nameAt;
    if (length === 0 || length > nameBytesMax || (length <= 2 && path.charCodeAt(nameAt) === dot)) return false;
    nameAt = i + 1;
  }
  return true;
}

function problemOf(path: string): string | undefined {
  if (path.includes("\0")) return "a path contains NUL";
  if (!path.isWellFormed()) return "a path is not Unicode";
  if (Buffer.byteLength(path) > limits.workspacePathBytes) return "a path is too long";
  const [root, ...names] = path.split("/");
  if (root === undefined || !isTreeRoot(root)) return `a path is outside the two trees: ${quotePath(path)}`;
  if (names.length === 0) return "a root is listed as an entry";
  for (const name of names) {
    if (name === "" || name === "." || name === "..")
      return `a path contains an empty name, . or ..: ${quotePath(path)}`;
    if (name.length > nameBytesMax / 3 && Buffer.byteLength(name) > nameBytesMax) return "a name is too long";
  }
  return undefined;
}

/**
 * Returns what is wrong with a symlink's target, or undefined. A target can point anywhere, because links are stored
 * and never followed.
 */
export function targetProblem(target: string): string | undefined {
  if (target === "" || target.includes("\0") || !target.isWellFormed()) return "a symlink's target is not a path";
  return Buffer.byteLength(target) > limits.workspacePathBytes ? "a symlink's target is too long" : undefined;
}

/**
 * Returns why a tree cannot be written to a disk (a bad path, an entry whose parent is not a directory), or undefined.
 */
export function treeProblem(tree: Tree): string | undefined {
  if (sound.has(tree)) return undefined;
  let [lastParent, isLastGood] = ["", false];
  for (const [path, entry] of tree) {
    if (path !== entry.path) return `an entry is listed under another path: ${quotePath(path)}`;
    const problem = pathProblem(path) ?? (entry.target === undefined ? undefined : targetProblem(entry.target));
    if (problem !== undefined) return problem;
    const parent = parentOf(path);
    if (parent !== lastParent) {
      lastParent = parent;
      isLastGood = isTreeRoot(parent) || tree.get(parent)?.type === "directory";
    }
    if (!isLastGood) return `the parent of ${quotePath(path)} is not a directory`;
  }
  sound.add(tree);
  return undefined;
}

/** Checks an id before it is used as the name of a folder. @throws TypeError for an id with other characters */
export function assertOrganizationId(organizationId: string): void {
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(organizationId)) {
    throw new TypeError(`not an organization id: ${organizationId}`);
  }
}

export function quotePath(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}

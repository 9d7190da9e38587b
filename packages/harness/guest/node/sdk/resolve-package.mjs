// Finds a package as the agent's own code does, so that both use the same copy, with everything that the agent has set
// in it, such as its default client.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { TurnError } from "../errors.mjs";

/** Returns the folder of an installed package, searching from the agent's file upwards; undefined if there is none. */
export function findPackageDir(name, fromFile) {
  for (let dir = dirname(fromFile); ; dir = dirname(dir)) {
    const found = join(dir, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return realpathSync(found);
    if (dirname(dir) === dir) return undefined;
  }
}

/** Loads a package's main module. If it is not installed, throws `unsupported_export` with what to do. */
export async function loadPackage(name, fromFile, found) {
  const dir = findPackageDir(name, fromFile);
  if (dir === undefined) {
    const advice = `add "${name}" to the dependencies of package.json`;
    throw new TurnError("unsupported_export", `${found}, which needs the package ${name}; ${advice}`);
  }
  const required = loadedByRequire(name, fromFile);
  if (required !== undefined) return required;
  return import(pathToFileURL(join(dir, importPath(dir))).href);
}

/** Returns the copy that a CommonJS agent has loaded, if any. */
function loadedByRequire(name, fromFile) {
  const require = createRequire(fromFile);
  try {
    return require.cache[require.resolve(name)]?.exports;
  } catch {
    // Packages without an entry for require are not loaded by it.
    return undefined;
  }
}

function importPath(dir) {
  const { exports, main } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
  const root = typeof exports === "object" && exports !== null && "." in exports ? exports["."] : exports;
  return pick(root) ?? main ?? "index.js";
}

/** Returns the first condition that applies to an import by Node, however deep. */
function pick(target) {
  if (typeof target === "string") return target;
  if (Array.isArray(target)) return target.map(pick).find((one) => one !== undefined);
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, value] of Object.entries(target)) {
    if (!["node", "import", "module-sync", "default"].includes(condition)) continue;
    const found = pick(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

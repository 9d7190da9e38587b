// Finds the export and decides, by its shape, how it runs. `shapes` is the one table: a new shape is a new row.

import { existsSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { TurnError } from "./errors.mjs";
import { runFunction } from "./run-function.mjs";

const endings = ["", ".mjs", ".js", ".cjs", ".mts", ".ts", "/index.mjs", "/index.js", "/index.cjs"];

const isObject = (value) => typeof value === "object" && value !== null;
const isFunction = (value, name) => typeof value === "function" && value.constructor?.name === name;
const sourceOf = (value) => Function.prototype.toString.call(value);

/** First match wins. Rows without `run` name what cannot be run. */
const shapes = [
  { kind: "class", matches: (value) => typeof value === "function" && /^class\b/.test(sourceOf(value)) },
  { kind: "async_generator", matches: (value) => isFunction(value, "AsyncGeneratorFunction"), run: runFunction },
  { kind: "generator", matches: (value) => isFunction(value, "GeneratorFunction"), run: runFunction },
  { kind: "async_function", matches: (value) => isFunction(value, "AsyncFunction"), run: runFunction },
  { kind: "function", matches: (value) => typeof value === "function", run: runFunction },
  {
    kind: "agent",
    matches: (value) => isObject(value) && typeof value.name === "string" && isInstance(value, "Agent"),
  },
  { kind: "object", matches: isObject },
];

function isInstance(value, className) {
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto.constructor?.name === className) return true;
  }
  return false;
}

export function kindOf(value) {
  return shapes.find((shape) => shape.matches(value))?.kind ?? (value === null ? "null" : typeof value);
}

/** The function that runs this kind of export; throws `unsupported_export` with what was found. */
export function runnerFor(kind, entry, value) {
  const run = shapes.find((shape) => shape.kind === kind)?.run;
  if (run !== undefined) return run;
  const what = kind === "agent" ? `an Agent named "${value.name}"` : describeKind(kind, value);
  const found = `${entry.file}:${entry.export} is ${what}`;
  throw new TurnError("unsupported_export", `${found}, which cannot be run; export a function`);
}

function describeKind(kind, value) {
  if (kind !== "object") return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
  return `an object with the keys ${Object.keys(value).slice(0, 10).join(", ") || "(none)"}`;
}

/** Imports the module and takes the export. Throws `entrypoint_not_found`, or whatever the module throws. */
export async function findExport(entry, imageDir) {
  // Errors name the lines that the author wrote, not those of the compiled file.
  process.setSourceMapsEnabled(true);
  const module = await import(pathToFileURL(findModule(entry, imageDir)).href);
  // A CommonJS module is its `default`; names that Node could not detect are found there.
  for (const holder of [module, module.default]) {
    if (holder !== null && holder !== undefined && entry.export in Object(holder)) return holder[entry.export];
  }
  const names = [...new Set([...Object.keys(module), ...Object.keys(Object(module.default))])]
    .filter((name) => name !== "default" && name !== "module.exports");
  const has = names.length > 0 ? `it exports ${names.slice(0, 20).join(", ")}` : "it exports nothing by name";
  throw new TurnError("entrypoint_not_found", `${entry.file} has no export "${entry.export}"; ${has}`);
}

function findModule(entry, imageDir) {
  const path = resolve(imageDir, entry.file);
  const inside = relative(imageDir, path);
  if (inside.startsWith("..") || isAbsolute(inside)) {
    throw new TurnError("entrypoint_not_found", `${entry.file} lies outside the agent's source`);
  }
  const found = endings.map((ending) => path + ending).find((file) => existsSync(file) && statSync(file).isFile());
  if (found === undefined) throw new TurnError("entrypoint_not_found", `there is no file ${entry.file}`);
  return found;
}

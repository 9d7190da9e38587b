// Finds the export and decides by its shape how it runs. `shapes` has one row per shape.

import { existsSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { TurnError } from "./errors.mjs";
import { exportInstead, refuseInteractive } from "./interactive.mjs";
import { runFunction } from "./run-function.mjs";

const endings = ["", ".mjs", ".js", ".cjs", ".mts", ".ts", "/index.mjs", "/index.js", "/index.cjs"];

const isObject = (value) => typeof value === "object" && value !== null;
const isFunction = (value, name) => typeof value === "function" && value.constructor?.name === name;
const sourceOf = (value) => Function.prototype.toString.call(value);

/** SDKs are loaded only for exports that need them. */
const runsOpenaiAgent = async (...given) => (await import("./sdk/openai-agents.mjs")).prepareOpenaiAgent(...given);
/** @openai/agents sets it when it is loaded. */
const openaiLoaded = Symbol.for("openai.agents.core.traceProvider");

/** A function may also create the Agent that is then run, or run agents itself. */
async function runsFunction(found, file) {
  const runnerOf = () => runsOpenaiAgent(`${found} that returned an Agent`, file);
  const run = (agent, turn) =>
    runFunction(agent, turn, async (made) => isAgent(made) && (await runnerOf())(made, turn));
  return openaiLoaded in globalThis ? (await import("./sdk/openai-agents.mjs")).recordOwnRuns(file, run) : run;
}

/** Called once the agent is loaded: runs its SDK without the agent. Resolves with the reason if it did not. */
export async function rehearseRunner(hasChangedRuntime) {
  if (!(openaiLoaded in globalThis)) return undefined;
  return (await import("./sdk/rehearse-openai.mjs")).rehearseOpenai(hasChangedRuntime);
}

const byOptions = {
  "claude-agent-sdk": async (...given) => (await import("./sdk/claude-agent-sdk.mjs")).prepareClaudeOptions(...given),
  opencode: async (...given) => (await import("./sdk/opencode.mjs")).prepareOpencode(...given),
  pi: async (...given) => (await import("./sdk/pi.mjs")).preparePiOptions(...given),
};

/**
 * The first match wins. `prepare` loads what runs this kind of export with an SDK and returns its runner. Rows without
 * it describe what cannot be run.
 */
const shapes = [
  { kind: "class", matches: (value) => typeof value === "function" && /^class\b/.test(sourceOf(value)) },
  { kind: "async_generator", matches: (value) => isFunction(value, "AsyncGeneratorFunction"), prepare: runsFunction },
  { kind: "generator", matches: (value) => isFunction(value, "GeneratorFunction"), prepare: runsFunction },
  { kind: "async_function", matches: (value) => isFunction(value, "AsyncFunction"), prepare: runsFunction },
  { kind: "function", matches: (value) => typeof value === "function", prepare: runsFunction },
  { kind: "agent", matches: isAgent, prepare: runsOpenaiAgent },
  { kind: "object", matches: isObject, prepare: (found, file, sdk) => byOptions[sdk]?.(found, file) },
];

function isAgent(value) {
  if (!isObject(value) || typeof value.name !== "string") return false;
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto.constructor?.name === "Agent") return true;
  }
  return false;
}

export function kindOf(value) {
  return shapes.find((shape) => shape.matches(value))?.kind ?? (value === null ? "null" : typeof value);
}

/**
 * Loads what runs this kind of export: `async (value, {prompt, context, limits, channel, meter}) => {parts, usage?}`.
 * Throws `unsupported_export` with what was found, also if the required SDK is not installed.
 */
export async function prepareRunner({ value, kind, file }, { entry, sdk }) {
  const what = kind === "agent" ? `an Agent named "${value.name}"` : describeKind(kind, value);
  const found = `${entry.file}:${entry.export} is ${what}`;
  const prepare = shapes.find((shape) => shape.kind === kind)?.prepare;
  const runner = await prepare?.(found, file, sdk);
  if (runner !== undefined) return runner;
  const named = kind === "object" ? `, or name its SDK in dari.yml (sdk: ${Object.keys(byOptions).join(", ")})` : "";
  const advice = sdk === "function" ? named : "";
  const message = `${found}, which cannot be run under sdk: ${sdk}; export a function${advice}`;
  throw new TurnError("unsupported_export", message);
}

function describeKind(kind, value) {
  if (kind !== "object") return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
  return `an object with the keys ${Object.keys(value).slice(0, 10).join(", ") || "(none)"}`;
}

/**
 * Imports the module and returns the export as `{value, kind, file}`. Throws `entrypoint_not_found`,
 * `unsupported_export` for a program that reads standard input, or what the module throws.
 */
export async function findExport(entry, imageDir) {
  // Errors show the author's lines, not those of the compiled file.
  process.setSourceMapsEnabled(true);
  const file = findModule(entry, imageDir);
  const module = await import(pathToFileURL(file).href);
  // A CommonJS module is in `default`, with names that Node could not detect, and with its own default export.
  const inner = Object(module.default);
  const holders = entry.export === "default" && "default" in inner ? [inner] : [module, inner];
  for (const holder of holders) {
    if (!(entry.export in holder)) continue;
    // A promise is awaited: an agent that is created while the module loads.
    const value = await holder[entry.export];
    refuseInteractive(value, entry);
    return { value, kind: kindOf(value), file };
  }
  const names = [...new Set([...Object.keys(module), ...Object.keys(Object(module.default))])].filter(
    (name) => name !== "default" && name !== "module.exports",
  );
  // A module without exports is a program that runs itself, for example by calling `main()` at its end.
  const nothing = `it exports nothing by name; ${exportInstead}`;
  const has = names.length > 0 ? `it exports ${names.slice(0, 20).join(", ")}` : nothing;
  throw new TurnError("entrypoint_not_found", `${entry.file} has no export "${entry.export}"; ${has}`);
}

function findModule(entry, imageDir) {
  const path = resolve(imageDir, entry.file);
  const inside = relative(imageDir, path);
  if (inside.startsWith("..") || isAbsolute(inside)) {
    throw new TurnError("entrypoint_not_found", `${entry.file} is outside the agent's source`);
  }
  const found = endings.map((ending) => path + ending).find((file) => existsSync(file) && statSync(file).isFile());
  if (found === undefined) throw new TurnError("entrypoint_not_found", `there is no file ${entry.file}`);
  return found;
}

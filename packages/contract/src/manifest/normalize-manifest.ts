// The rules of dari.yml: turns a plain value into a Manifest, or into all of its issues.

import {
  agentNameExpected,
  isAgentName,
  limits,
  mcpLimits,
  modelRequestLimits,
  parseMemorySize,
  showMemorySize,
  type FieldIssue,
} from "@dari/domain";
import {
  expectedOneOf,
  isMapping,
  isStorable,
  nonEmptyText,
  oneOf,
  optionalMapping,
  optionalPositiveInteger,
  readChoice,
  refuseUnknown,
  YamlFloat,
  type Fields,
  type Report,
} from "./read-fields.ts";
import { languageOfEntrypoint, languages, type Manifest, type ManifestLimits, sdks, sdksWithRun } from "./manifest.ts";
import { readRecordAnswers } from "./read-record-answers.ts";
import { readEgress, readModels, refuseUnreachable } from "./read-network-fields.ts";

export type ManifestResult =
  | { readonly ok: true; readonly manifest: Manifest; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

const environmentName = /^[A-Z_][A-Z0-9_]*$/;

/**
 * Checks a manifest that is already data, such as the one a client sends with its bundle, and fills in the defaults.
 * Null counts as absent. Strings are trimmed, except the values of `env`.
 */
export function normalizeManifest(value: unknown): ManifestResult {
  if (!isMapping(value)) return { ok: false, issues: [{ path: "manifest", message: "expected a top-level mapping" }] };
  const issues: FieldIssue[] = [];
  const report: Report = (path, message) => void issues.push({ path, message });

  refuseUnknown(value, "", report);
  const name = requiredText(value, "name", report);
  if (name.length > limits.nameChars) report("name", `expected at most ${limits.nameChars} characters`);
  else if (name !== "" && !isAgentName(name)) report("name", `expected ${agentNameExpected}`);
  const description = readDescription(value["description"], report);
  const sdk = readSdk(value["sdk"], report);
  const entrypoint = readEntrypoint(value, report);
  const runtime = readRuntime(value["runtime"], entrypoint, report);
  const retries = readRetries(value["retries"], report);
  const run = readRun(value["run"], sdk, report);
  const perMessage = readLimits(value["limits"], retries, report);
  const secrets = readSecrets(value["secrets"], report);
  const env = readEnv(value["env"], report);
  const egress = readEgress(value["egress"], report);
  const models = readModels(value["models"], report);
  refuseOverlap(secrets, env, report);
  refuseUnreachable(egress, models, secrets, report);

  if (issues.length > 0 || sdk === undefined || runtime === undefined) return { ok: false, issues };
  const given = {
    ...(description === undefined ? {} : { description }),
    ...(run === undefined ? {} : { run }),
    ...(perMessage === undefined ? {} : { limits: perMessage }),
    ...(egress === undefined ? {} : { egress }),
    ...(models.length === 0 ? {} : { models }),
  };
  return { ok: true, manifest: { name, sdk, entrypoint, runtime, retries, secrets, env, ...given }, warnings: [] };
}

function readDescription(value: unknown, report: Report): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = nonEmptyText("description", value, report);
  if (text === undefined || text.length <= mcpLimits.descriptionChars) return text;
  report("description", `expected at most ${mcpLimits.descriptionChars} characters`);
  return undefined;
}

/** Returns an empty string if the field is missing or wrong, and reports that. */
function requiredText(fields: Fields, path: string, report: Report): string {
  if (fields[path] === undefined || fields[path] === null) {
    report(path, "field is required");
    return "";
  }
  return nonEmptyText(path, fields[path], report) ?? "";
}

/** Without `sdk`, the export is a function. */
function readSdk(value: unknown, report: Report): Manifest["sdk"] | undefined {
  if (value === undefined || value === null) return "function";
  const advice = "; agents of every other framework run as a function: export one that calls it, and leave out sdk";
  return oneOf("sdk", nonEmptyText("sdk", value, report), sdks, (path, message) => report(path, message + advice));
}

function readEntrypoint(fields: Fields, report: Report): string {
  const text = requiredText(fields, "entrypoint", report);
  if (text === "") return "";
  const sides = text.split(":").map((side) => side.trim());
  const [file, exported] = sides;
  if (sides.length !== 2 || file === undefined || file === "" || exported === undefined || exported === "") {
    report("entrypoint", "expected a '<module-or-path>:<export>' reference");
    return "";
  }
  if (/^([/\\~]|[A-Za-z]:)/.test(file) || file.split(/[/\\]/).includes("..")) {
    report("entrypoint", "expected a path inside the repository: not absolute, without '..'");
  }
  return `${file}:${exported}`;
}

function readRuntime(value: unknown, entrypoint: string, report: Report): Manifest["runtime"] | undefined {
  const fields = optionalMapping("runtime", value, report);
  refuseUnknown(fields, "runtime.", report);
  const language = readLanguage(fields["language"], entrypoint, report);
  const version = readVersion(fields["version"], report);
  const timeout = optionalPositiveInteger("runtime.timeout_seconds", fields["timeout_seconds"], report);
  if (timeout !== undefined && timeout > limits.turnTimeoutSecondsMax) {
    report("runtime.timeout_seconds", `expected at most ${limits.turnTimeoutSecondsMax}`);
  }
  const memory = readMemory(fields["memory"], report);
  const cpus = readCpus(fields["cpus"], report);
  const concurrency = optionalPositiveInteger("runtime.max_concurrency", fields["max_concurrency"], report);
  if (concurrency !== undefined && concurrency > limits.maxConcurrencyMax) {
    report("runtime.max_concurrency", `expected at most ${limits.maxConcurrencyMax}`);
  }
  const reuse = readChoice("runtime.reuse", fields["reuse"], ["session"] as const, report);
  const load = readChoice("runtime.load", fields["load"], ["every_turn"] as const, report);
  if (language === undefined) return undefined;
  return {
    language,
    ...(version === undefined ? {} : { version }),
    timeout_seconds: timeout ?? limits.turnTimeoutSecondsDefault,
    ...(memory === undefined ? {} : { memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(concurrency === undefined ? {} : { max_concurrency: concurrency }),
    ...(reuse === undefined ? {} : { reuse }),
    ...(load === undefined ? {} : { load }),
  };
}

function readMemory(value: unknown, report: Report): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === "string" ? value.trim().replace(" ", "") : "";
  const bytes = parseMemorySize(text);
  const { turnMemoryBytesMin: min, turnMemoryBytesMax: max } = limits;
  if (bytes !== undefined && bytes >= min && bytes <= max) return text;
  const bounds = `from ${showMemorySize(min)} to ${showMemorySize(max)}`;
  report("runtime.memory", `expected an amount ${bounds}, such as '512MiB' or '2GiB'`);
  return undefined;
}

function readCpus(value: unknown, report: Report): number | undefined {
  if (value === undefined || value === null) return undefined;
  const cpus = value instanceof YamlFloat ? Number(value.source) : value;
  const { turnCpusMin: min, turnCpusMax: max } = limits;
  if (typeof cpus === "number" && cpus >= min && cpus <= max) return cpus;
  report("runtime.cpus", `expected a number from ${min} to ${max}`);
  return undefined;
}

/** Takes an absent language from the entrypoint's suffix. Reports it as missing only if the suffix is unknown. */
function readLanguage(value: unknown, entrypoint: string, report: Report): Manifest["runtime"]["language"] | undefined {
  if (value !== undefined && value !== null) {
    return oneOf("runtime.language", nonEmptyText("runtime.language", value, report), languages, report);
  }
  const detected = languageOfEntrypoint(entrypoint);
  if (detected === undefined && entrypoint !== "") {
    const why = "field is required if the entrypoint has no known suffix";
    report("runtime.language", `${why}; ${expectedOneOf(languages)}`);
  }
  return detected;
}

function readVersion(value: unknown, report: Report): string | undefined {
  if (value === undefined || value === null) return undefined;
  const bare = value instanceof YamlFloat ? value.source : typeof value === "number" ? String(value) : undefined;
  if (bare !== undefined) {
    report("runtime.version", `expected a non-empty string: quote the version, as in "${bare}"`);
    return undefined;
  }
  const version = nonEmptyText("runtime.version", value, report);
  if (version !== undefined && version.length > limits.nameChars) {
    report("runtime.version", `expected at most ${limits.nameChars} characters`);
  }
  return version;
}

function readRetries(value: unknown, report: Report): Manifest["retries"] {
  const fields = optionalMapping("retries", value, report);
  refuseUnknown(fields, "retries.", report);
  const attempts = optionalPositiveInteger("retries.max_attempts", fields["max_attempts"], report);
  if (attempts !== undefined && attempts > limits.maxAttemptsMax) {
    report("retries.max_attempts", `expected at most ${limits.maxAttemptsMax}`);
  }
  const isRetried = fields["on_worker_lost"] ?? true;
  if (typeof isRetried !== "boolean") report("retries.on_worker_lost", "expected true or false");
  const recorded = readRecordAnswers(fields["record_answers"], report);
  return {
    max_attempts: attempts ?? 1,
    on_worker_lost: isRetried === true,
    ...(recorded === undefined ? {} : { record_answers: recorded }),
  };
}

function readRun(value: unknown, sdk: Manifest["sdk"] | undefined, report: Report): Manifest["run"] {
  const fields = optionalMapping("run", value, report);
  refuseUnknown(fields, "run.", report);
  const maxTurns = optionalPositiveInteger("run.max_turns", fields["max_turns"], report);
  if (maxTurns === undefined) return undefined;
  if (maxTurns > modelRequestLimits.perRunMax)
    report("run.max_turns", `expected at most ${modelRequestLimits.perRunMax}`);
  if (sdk !== undefined && !sdksWithRun.includes(sdk)) {
    report("run.max_turns", `${sdk} does not read it: set the limit in what the entrypoint exports`);
  }
  return { max_turns: maxTurns };
}

/** Returns undefined if none is set. */
function readLimits(value: unknown, retries: Manifest["retries"], report: Report): ManifestLimits | undefined {
  const fields = optionalMapping("limits", value, report);
  refuseUnknown(fields, "limits.", report);
  const requests = readLimit("requests", fields, modelRequestLimits.requestsPerMessageMax, report);
  const tokens = readLimit("tokens", fields, modelRequestLimits.tokensPerMessageMax, report);
  const costUsd = readCostLimit(fields["cost_usd"], report);
  const asks = readAtLimit(fields["at_limit"], retries, report);
  if (requests === undefined && tokens === undefined && costUsd === undefined && !asks) return undefined;
  return {
    ...(requests === undefined ? {} : { requests }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(costUsd === undefined ? {} : { cost_usd: costUsd }),
    ...(asks ? { at_limit: "ask" } : {}),
  };
}

function readCostLimit(value: unknown, report: Report): number | undefined {
  const { usdPerMessageMin: min, usdPerMessageMax: max } = modelRequestLimits;
  if (value === undefined || value === null) return undefined;
  const usd = value instanceof YamlFloat ? Number(value.source) : value;
  if (typeof usd === "number" && usd >= min && usd <= max) return usd;
  report("limits.cost_usd", `expected a number of US dollars from ${min} to ${max}`);
  return undefined;
}

/** Returns whether the turn asks for a higher limit. */
function readAtLimit(value: unknown, { record_answers: recorded }: Manifest["retries"], report: Report): boolean {
  const atLimit = value ?? "stop";
  if (atLimit !== "stop" && atLimit !== "ask") report("limits.at_limit", "expected one of 'stop', 'ask'");
  if (atLimit !== "ask") return false;
  if (recorded === undefined) {
    report(
      "limits.at_limit",
      "'ask' needs retries.record_answers: after the answer the turn runs again from its start, and would pay " +
        "for all requests again",
    );
  }
  return true;
}

function readLimit(name: string, fields: Fields, max: number, report: Report): number | undefined {
  const limit = optionalPositiveInteger(`limits.${name}`, fields[name], report);
  if (limit !== undefined && limit > max) report(`limits.${name}`, `expected at most ${max}`);
  return limit;
}

function readSecrets(value: unknown, report: Report): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    report("secrets", "expected a list of secret names; secret values must not live in the manifest");
    return [];
  }
  const names: string[] = [];
  for (const [index, item] of value.entries()) {
    const path = `secrets[${index}]`;
    const name: unknown = typeof item === "string" ? item.trim() : item;
    if (typeof name !== "string" || name === "") report(path, "expected a non-empty secret name");
    else if (!environmentName.test(name)) report(path, "expected a secret name matching ^[A-Z_][A-Z0-9_]*$");
    else if (names.includes(name)) report(path, `duplicate secret name '${name}'`);
    else names.push(name);
  }
  if (names.length > limits.agentSecretsMax) report("secrets", `expected at most ${limits.agentSecretsMax} names`);
  return names;
}

function readEnv(value: unknown, report: Report): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isMapping(value)) {
    report("env", "expected a mapping of string values");
    return {};
  }
  const env: [string, string][] = [];
  const seen = new Set<string>();
  for (const [key, item] of Object.entries(value)) {
    const path = `env.${key}`;
    const name = key.trim();
    const wrong = problemOfVariable(name, item) ?? (seen.has(name) ? `duplicate variable name '${name}'` : undefined);
    if (wrong !== undefined) report(path, wrong);
    else env.push([name, String(item)]);
    seen.add(name);
  }
  if (env.length > limits.environmentNamesMax) report("env", `expected at most ${limits.environmentNamesMax} names`);
  return Object.fromEntries(env);
}

function problemOfVariable(name: string, value: unknown): string | undefined {
  if (name === "") return "expected a non-empty environment variable name";
  if (!environmentName.test(name)) return "expected an environment variable name matching ^[A-Z_][A-Z0-9_]*$";
  if (typeof value !== "string" || !isStorable(value)) return "expected a string value";
  if (value.length > limits.secretValueBytes) return `expected at most ${limits.secretValueBytes} characters`;
  return undefined;
}

function refuseOverlap(secrets: readonly string[], env: Readonly<Record<string, string>>, report: Report): void {
  const both = secrets.filter((name) => Object.hasOwn(env, name)).sort();
  if (both.length > 0) report("secrets", `secret names must not overlap env keys: ${both.join(", ")}`);
}

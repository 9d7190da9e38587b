// Compares the manifest a client sent along with the one in its bundle (the bundle is the truth).

import type { DeclaredModel } from "@dari/domain";
import type { Manifest } from "./manifest.ts";

/**
 * Returns the names of fields that differ, such as `runtime.version` or `env.MODE`. The order of secrets does not
 * matter.
 */
export function compareManifests(sent: Manifest, bundled: Manifest): string[] {
  const left = flatten(sent);
  const right = flatten(bundled);
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].filter((name) => left.get(name) !== right.get(name)).sort();
}

function flatten(manifest: Manifest): Map<string, string | number | undefined> {
  return new Map<string, string | number | undefined>([
    ["name", manifest.name],
    ["description", manifest.description],
    ["sdk", manifest.sdk],
    ["entrypoint", manifest.entrypoint],
    ["runtime.language", manifest.runtime.language],
    ["runtime.version", manifest.runtime.version],
    ["runtime.timeout_seconds", manifest.runtime.timeout_seconds],
    ["runtime.memory", manifest.runtime.memory],
    ["runtime.cpus", manifest.runtime.cpus],
    ["runtime.max_concurrency", manifest.runtime.max_concurrency],
    ["runtime.reuse", manifest.runtime.reuse],
    ["runtime.load", manifest.runtime.load],
    ["retries.max_attempts", manifest.retries.max_attempts],
    ["retries.on_worker_lost", String(manifest.retries.on_worker_lost)],
    ["run.max_turns", manifest.run?.max_turns],
    ["limits.requests", manifest.limits?.requests],
    ["limits.tokens", manifest.limits?.tokens],
    ["limits.cost_usd", manifest.limits?.cost_usd],
    ["limits.at_limit", manifest.limits?.at_limit],
    ["retries.record_answers", showRecordAnswers(manifest.retries.record_answers)],
    ["secrets", [...manifest.secrets].sort().join(" ")],
    ["egress", manifest.egress === undefined ? undefined : [manifest.egress].flat().sort().join(" ")],
    ["models", manifest.models?.map(textOfModel).sort().join(" ")],
    ...Object.entries(manifest.env).map(([name, value]): [string, string] => [`env.${name}`, value]),
  ]);
}

function showRecordAnswers(setting: Manifest["retries"]["record_answers"]): string | undefined {
  return typeof setting === "object" ? `kept for ${setting.keep_days} days` : setting && "true";
}

function textOfModel({ host, scheme, path = "", format }: DeclaredModel): string {
  return `${format}:${scheme}://${host}${path}`;
}

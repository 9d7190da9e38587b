// The fields of dari.yml about the network: what the agent may reach, and where its models are.

import {
  declaredModelLimits,
  egressHostExpected,
  limits,
  modelEndpoint,
  modelFormats,
  modelSchemes,
  parseEgressHost,
  type DeclaredModel,
} from "@dari/domain";
import {
  isMapping,
  nonEmptyText,
  oneOf,
  optionalText,
  readChoice,
  refuseUnknown,
  type Fields,
  type Report,
} from "./read-fields.ts";
import { modelsOnly, type Manifest } from "./manifest.ts";

export function readEgress(value: unknown, report: Report): Manifest["egress"] {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value.trim() === modelsOnly) return modelsOnly;
  if (!Array.isArray(value)) {
    report("egress", `expected a list of hosts, or '${modelsOnly}'`);
    return [];
  }
  const hosts: string[] = [];
  for (const [index, item] of value.entries()) {
    const host = typeof item === "string" ? item.trim().toLowerCase() : "";
    if (host === modelsOnly)
      report(`egress[${index}]`, `expected a host; write 'egress: ${modelsOnly}' without a list`);
    else if (parseEgressHost(host) === undefined) report(`egress[${index}]`, `expected ${egressHostExpected}`);
    else if (hosts.includes(host)) report(`egress[${index}]`, `duplicate host '${host}'`);
    else hosts.push(host);
  }
  if (hosts.length > limits.egressHostsMax) report("egress", `expected at most ${limits.egressHostsMax} hosts`);
  return hosts;
}

/** Refuses an agent that could reach nothing by mistake. */
export function refuseUnreachable(
  egress: Manifest["egress"],
  models: readonly DeclaredModel[],
  secrets: readonly string[],
  report: Report,
): void {
  if (egress !== modelsOnly || models.length > 0 || secrets.length > 0) return;
  report("egress", "without 'models' and 'secrets', this allows no host; name a model's host, or write []");
}

/** Returns an empty list if there is none. */
export function readModels(value: unknown, report: Report): DeclaredModel[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    report("models", "expected a list of hosts with their formats");
    return [];
  }
  const { entries } = declaredModelLimits;
  if (value.length > entries) {
    report("models", `expected at most ${entries} entries`);
    return [];
  }
  const models: DeclaredModel[] = [];
  for (const [index, item] of value.entries()) {
    const path = `models[${index}]`;
    if (!isMapping(item)) {
      report(path, "expected a mapping");
      continue;
    }
    const model = readModel(item, path, report);
    if (model !== undefined && isConsistent(model, models, path, report)) models.push(model);
  }
  return models;
}

function readModel(fields: Fields, path: string, report: Report): DeclaredModel | undefined {
  refuseUnknown(fields, "models[].", report, `${path}.`);
  const host = readHost(fields["host"], `${path}.host`, report);
  const scheme = readChoice(`${path}.scheme`, fields["scheme"], modelSchemes, report) ?? "https";
  const base = readPath(fields["path"], `${path}.path`, report);
  const format = readFormat(fields["format"], `${path}.format`, report);
  if (host !== undefined && isAddress(host) && scheme === "https") {
    report(
      `${path}.scheme`,
      "expected 'http': the proxy reads HTTPS only to names, because certificates are for names",
    );
  }
  if (host === undefined || format === undefined) return undefined;
  return { host, scheme, ...(base === undefined ? {} : { path: base }), format };
}

function readHost(value: unknown, path: string, report: Report): string | undefined {
  const host = typeof value === "string" ? value.trim().toLowerCase() : "";
  const name = modelEndpoint({ host, scheme: "https" })?.name;
  // Requests to it arrive at its address.
  if (name === "localhost" || name?.endsWith(".localhost") === true) {
    report(path, "expected an address: write 127.0.0.1 in place of localhost; the agent's own URLs can name either");
    return undefined;
  }
  // Clients read every name that ends in a number as an address, and write it in its usual form.
  if (name !== undefined && (!endsInNumber.test(name) || isIPv4.test(name))) return host;
  const expected = "expected a host, as in llm.example.com, llm.example.com:8443 or 10.0.0.5:8000";
  report(path, value === undefined || value === null ? "field is required" : expected);
  return undefined;
}

const endsInNumber = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const byte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const isIPv4 = new RegExp(`^${byte}(?:\\.${byte}){3}$`);

function isAddress(host: string): boolean {
  return /^(?:\d+\.){3}\d+(?::|$)/.test(host);
}

function readFormat(value: unknown, path: string, report: Report): DeclaredModel["format"] | undefined {
  if (value !== undefined && value !== null)
    return oneOf(path, nonEmptyText(path, value, report), modelFormats, report);
  report(path, "field is required");
  return undefined;
}

const segments = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.~-]+)+$/;

function readPath(value: unknown, path: string, report: Report): string | undefined {
  const text = optionalText(path, value, report)?.replace(/(?<!\/)\/+$/, "");
  if (text === undefined || (segments.test(text) && text.length <= declaredModelLimits.pathChars)) return text;
  report(path, "expected the path before the format's own, as in /v1; leave it out to allow any");
  return undefined;
}

/** Returns whether the entry says something new, and agrees with those before it. */
function isConsistent(model: DeclaredModel, others: readonly DeclaredModel[], path: string, report: Report): boolean {
  const { name, port } = modelEndpoint(model)!;
  const same = others.filter((other) => {
    const endpoint = modelEndpoint(other)!;
    return endpoint.name === name && endpoint.port === port;
  });
  const other = same.find(({ scheme }) => scheme !== model.scheme);
  const isRepeated = same.some((one) => one.format === model.format && one.path === model.path);
  if (other !== undefined)
    report(`${path}.scheme`, `expected '${other.scheme}', as in the other entry of ${name}:${port}`);
  else if (isRepeated) report(path, "the same host, path and format as in another entry");
  return other === undefined && !isRepeated;
}

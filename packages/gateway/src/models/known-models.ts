// The hosts of models, and the wire format of each of their paths.

import type { EgressHost, ModelFormat } from "@dari/domain";

/** A request to a model. */
export interface ModelCall {
  readonly format: ModelFormat;
  /** The model, or Azure's deployment, if the path names it. */
  readonly model?: string | undefined;
  /** The count of the output leaves reasoning out, but the total has it. */
  readonly hasHiddenReasoning?: boolean;
}

/** A group is the model's name. */
type Paths = readonly (readonly [path: RegExp, format: ModelFormat])[];

/** Paths of each host, which are also those of hosts below it, such as `eu.api.openai.com`. */
const knownHosts: Readonly<Record<string, Paths>> = {
  "api.openai.com": [
    [/^\/v1\/responses(?:\/compact)?$/i, "openai-responses"],
    [/^\/v1\/chat\/completions$/i, "openai-chat"],
  ],
  "api.anthropic.com": [
    [/^\/v1\/messages$/i, "anthropic-messages"],
    [/^\/v1\/chat\/completions$/i, "openai-chat"],
  ],
  "generativelanguage.googleapis.com": [
    // A tuned model can have the name of a cheaper one, so its name begins with its kind.
    [/^\/v1[a-z0-9]*\/(?:models\/|(?=tunedmodels\/))((?:tunedmodels\/)?[^/:]+):(?:stream)?generatecontent$/i, "gemini"],
    [/^\/v1beta\/openai\/chat\/completions$/i, "openai-chat"],
  ],
  "openai.azure.com": [
    [/^\/openai\/(?:v1\/)?responses(?:\/compact)?$/i, "openai-responses"],
    [/^\/openai\/(?:v1|deployments\/([^/]+))\/chat\/completions$/i, "openai-chat"],
  ],
  "openrouter.ai": [
    [/^\/api\/v1\/responses$/i, "openai-responses"],
    [/^\/api\/v1\/chat\/completions$/i, "openai-chat"],
    [/^\/api\/v1\/messages$/i, "anthropic-messages"],
  ],
};

/** Returns what a request asks of a model, or undefined if it is another request. `host`: without its port. */
export function findModelCall(host: string, method: string | undefined, path: string): ModelCall | undefined {
  if (method !== "POST") return undefined;
  const known = Object.entries(knownHosts).find(([name]) => host === name || host.endsWith(`.${name}`));
  if (known === undefined) return undefined;
  const normalized = normalizePath(path);
  for (const [pattern, format] of known[1]) {
    const found = pattern.exec(normalized);
    if (found !== null) return { format, model: found[1], hasHiddenReasoning: hidesReasoning(host, format) };
  }
  return undefined;
}

/** Returns whether requests to the host, or to hosts that the pattern `*.name` includes, are metered. */
export function isModelHost(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  const isIncluded = (known: string): boolean => name.startsWith("*.") && known.endsWith(name.slice(1));
  return Object.keys(knownHosts).some((known) => name === known || name.endsWith(`.${known}`) || isIncluded(known));
}

/** Returns the known hosts of models among those of a credential. Without a port, theirs is 443. */
export function knownModelHosts({ name, subdomains, port = 443 }: EgressHost): EgressHost[] {
  const isBelow = (host: string, above: string): boolean => host.endsWith(`.${above}`);
  return Object.keys(knownHosts).flatMap((known) => {
    if (name === known || isBelow(name, known)) return [{ name, subdomains, port }];
    if (!subdomains || !isBelow(known, name)) return [];
    return [false, true].map((each) => ({ name: known, subdomains: each, port }));
  });
}

/** Gemini's counts in OpenAI's format. */
function hidesReasoning(host: string, format: ModelFormat): boolean {
  return host.endsWith("generativelanguage.googleapis.com") && format === "openai-chat";
}

/** Servers behind several others decode a path several times. */
const roundsMax = 5;

/**
 * Returns the path as servers understand it, however often they decode it. An agent must not avoid the meter by another
 * spelling.
 */
export function normalizePath(path: string): string {
  let text = path.startsWith("/") ? path.replace(/[?#][^]*$/, "") : "/";
  for (let round = 0; round < roundsMax; round++) {
    const next = decode(resolve(text));
    if (next === text) break;
    text = next;
  }
  return text.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
}

function resolve(path: string): string {
  return new URL(`http://host${path.replace(/[?#]/g, encodeURIComponent)}`).pathname;
}

function decode(path: string): string {
  return path.replace(/%([0-7][0-9a-f])/gi, (_all, code: string) => String.fromCharCode(parseInt(code, 16)));
}

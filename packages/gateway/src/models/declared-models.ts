// The hosts of models that an agent's dari.yml names: which requests to them are metered, and how they are reached.

import { modelEndpoint, type DeclaredModel, type ModelFormat, type ModelScheme } from "@dari/domain";
import { normalizeHost } from "@dari/network";
import { normalizePath, type ModelCall } from "./known-models.ts";

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface DeclaredModels {
  /** The names that are reached with TLS. */
  readonly secureNames: readonly string[];
  /** Returns how the host is reached; undefined if it is not named, or not with this port. */
  schemeOf(target: Endpoint): ModelScheme | undefined;
  /** Returns what a request asks of a model, or undefined if it is another request. */
  find(target: Endpoint, method: string | undefined, path: string): ModelCall | undefined;
}

/** The end of a path. A group is the model's name. */
const ends: Readonly<Record<ModelFormat, RegExp>> = {
  "openai-responses": /\/responses(?:\/compact)?$/i,
  "openai-chat": /\/chat\/completions$/i,
  "anthropic-messages": /\/messages$/i,
  gemini: /\/(?:models|tunedmodels)\/([^/:]+):(?:stream)?generatecontent$/i,
};

export function createDeclaredModels(models: readonly DeclaredModel[] = []): DeclaredModels {
  const entries = models.flatMap((model) => {
    const endpoint = modelEndpoint(model);
    return endpoint === undefined ? [] : [{ ...model, ...endpoint }];
  });
  const entriesOf = ({ host, port }: Endpoint): typeof entries => {
    const name = normalizeHost(host);
    return entries.filter((entry) => entry.name === name && entry.port === port);
  };
  return {
    secureNames: entries.filter(({ scheme }) => scheme === "https").map(({ name }) => name),
    schemeOf: (target) => entriesOf(target)[0]?.scheme,
    find(target, method, path) {
      if (method !== "POST") return undefined;
      const normalized = normalizePath(path);
      // Some servers ignore what follows a semicolon.
      const paths = [normalized, normalized.replace(/;[^/]*/g, "")];
      for (const { format, path: base } of entriesOf(target)) {
        for (const each of paths) {
          const found = ends[format].exec(each);
          if (found !== null && isBelow(base, each.slice(0, found.index))) return { format, model: found[1] };
        }
      }
      return undefined;
    },
  };
}

/** Servers can ignore case, and an agent must not avoid the meter by another spelling. */
function isBelow(base: string | undefined, before: string): boolean {
  return base === undefined || base.toLowerCase() === before.toLowerCase();
}

// A runtime, for the rest of the builder.

import type { Language } from "@dari/contract";

export interface Runtime {
  readonly language: Language;
  /** Exact, such as `20.20.2`. */
  readonly version: string;
  /** Absolute path of the real interpreter, never a version manager's shim. */
  readonly command: string;
  /** What a sandbox must see, read-only, for the interpreter to work. */
  readonly readOnlyPaths: readonly string[];
  /** Set if the runtime differs from what was asked for. For the tenant. */
  readonly warning?: string;
}

export interface RuntimeOffer {
  readonly language: Language;
  readonly version: string;
  /** `fetched`: in the cache; `on_demand`: npm has it. */
  readonly source: "host" | "fetched" | "on_demand";
}

/** This worker does not have the runtime. The message lists the available ones and can be shown. */
export class RuntimeUnavailableError extends Error {
  override readonly name = "RuntimeUnavailableError";
  readonly available: readonly string[];

  constructor(language: Language, requested: string | undefined, available: readonly string[], why?: string) {
    const wanted = requested === undefined ? language : `${language} ${JSON.stringify(requested)}`;
    const list = available.length === 0 ? "this worker has none" : `available: ${available.join(", ")}`;
    super(`${wanted} is not available${why === undefined ? "" : ` (${why})`}; ${list}`);
    this.available = available;
  }
}

/** `"3.11"` matches any 3.11; more parts are more exact. */
export function satisfies(version: string, requested: string): boolean {
  return version === requested || version.startsWith(`${requested}.`);
}

/** Compares versions by their numeric parts, ascending. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < 3; i += 1) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

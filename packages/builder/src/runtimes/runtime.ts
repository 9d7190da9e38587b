// What a runtime is to the rest of the builder. Knows no language in particular.

import type { Language } from "@dari/contract";

export interface Runtime {
  readonly language: Language;
  /** Exact, as in `20.20.2`. */
  readonly version: string;
  /** Absolute path of the real interpreter, never a version manager's shim. */
  readonly command: string;
  /** What a sandbox must see, read-only, for the interpreter to work. */
  readonly readOnlyPaths: readonly string[];
  /** Set when the runtime is not quite the one that was asked for; for the tenant. */
  readonly warning?: string;
}

export interface RuntimeOffer {
  readonly language: Language;
  readonly version: string;
  /** `fetched`: in the cache; `on_demand`: npm has it. */
  readonly source: "host" | "fetched" | "on_demand";
}

/** Nobody here has that runtime. The message lists what can be had and is safe to show. */
export class RuntimeUnavailableError extends Error {
  override readonly name = "RuntimeUnavailableError";
  readonly available: readonly string[];

  constructor(language: Language, requested: string | undefined, available: readonly string[], why?: string) {
    const wanted = requested === undefined ? language : `${language} ${JSON.stringify(requested)}`;
    const list = available.length === 0 ? "none can be had here" : `can be had: ${available.join(", ")}`;
    super(`${wanted} is not available${why === undefined ? "" : ` (${why})`}; ${list}`);
    this.available = available;
  }
}

/** `"3.11"` asks for any 3.11; more parts are more exact. */
export function satisfies(version: string, requested: string): boolean {
  return version === requested || version.startsWith(`${requested}.`);
}

/** Ascending by numeric parts. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let i = 0; i < 3; i += 1) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

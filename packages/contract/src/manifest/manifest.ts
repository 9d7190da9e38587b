// What a dari.yml says once it is understood: the values, with every default filled in. Knows neither YAML nor files.

/** `function`: no SDK that the platform knows. A function runs under each of them. */
export const sdks = ["openai-agents", "claude-agent-sdk", "opencode", "pi", "function"] as const;
export type Sdk = (typeof sdks)[number];

export const languages = ["python", "typescript"] as const;
export type Language = (typeof languages)[number];

/** A validated manifest. `entrypoint` is `<module-or-path>:<export>` without blanks around either side. */
export interface Manifest {
  readonly name: string;
  readonly sdk: Sdk;
  readonly entrypoint: string;
  readonly runtime: {
    readonly language: Language;
    /** Absent: the newest that the workers have. */
    readonly version?: string;
    readonly timeout_seconds: number;
    /** Turns of the agent at once at most, over all of its sessions. Absent: no bound of its own. */
    readonly max_concurrency?: number;
    /** `session`: the process that served a session's turn may serve its next one. Absent: each turn has its own. */
    readonly reuse?: "session";
    /** Absent: the agent may be loaded once, and what has loaded it be copied for each turn. */
    readonly load?: "every_turn";
  };
  readonly retries: { readonly max_attempts: number };
  readonly secrets: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Hosts, in lower case. Absent: every one that the organization may reach. */
  readonly egress?: readonly string[];
}

const suffixes: Readonly<Record<Language, readonly string[]>> = {
  python: [".py"],
  typescript: [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"],
};

/** The language that an entrypoint's suffix tells, if it does. */
export function languageOfEntrypoint(entrypoint: string): Language | undefined {
  const file = (entrypoint.split(":")[0] ?? "").trim();
  return languages.find((language) => suffixes[language].some((suffix) => file.endsWith(suffix)));
}

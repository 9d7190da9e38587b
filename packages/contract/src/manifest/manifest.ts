// A parsed dari.yml with every default filled in.

import type { DeclaredModel, MessageLimits } from "@dari/domain";

/** `function`, the default: no SDK that the platform knows. Every SDK also allows functions. */
export const sdks = ["openai-agents", "claude-agent-sdk", "opencode", "pi", "function"] as const;
export type Sdk = (typeof sdks)[number];

export const languages = ["python", "typescript"] as const;
export type Language = (typeof languages)[number];

/** `at_limit`: absent stops the turn. `ask` requires `retries.record_answers`. */
export type ManifestLimits = MessageLimits & { readonly at_limit?: "ask" };

/** The SDKs whose run has options that an exported agent cannot contain. A function can return such an agent. */
export const sdksWithRun: readonly Sdk[] = ["openai-agents", "function"];

/** Allows an agent the hosts of its models and no others. */
export const modelsOnly = "models-only";

/** A validated manifest. `entrypoint` is `<module-or-path>:<export>` without surrounding blanks. */
export interface Manifest {
  readonly name: string;
  /** For models that choose between agents. */
  readonly description?: string;
  readonly sdk: Sdk;
  readonly entrypoint: string;
  readonly runtime: {
    readonly language: Language;
    /** Default: the newest that the workers have. */
    readonly version?: string;
    readonly timeout_seconds: number;
    /** Such as `512MiB` or `2GiB`. Absent: the platform's default. */
    readonly memory?: string;
    /** Maximum number of processors of a turn. Absent: the platform's default. */
    readonly cpus?: number;
    /** Maximum number of concurrent turns of the agent, over all of its sessions. Absent: no limit of its own. */
    readonly max_concurrency?: number;
    /** `session`: the process of a session's turn may run its next one. Absent: each turn has its own process. */
    readonly reuse?: "session";
    /** Absent: the agent may be loaded once and forked for each turn. */
    readonly load?: "every_turn";
  };
  readonly retries: {
    readonly max_attempts: number;
    /** Whether a message gets one more attempt after the first one that lost its worker. */
    readonly on_worker_lost: boolean;
    /**
     * Whether an attempt after a lost worker gets the answers of models that were recorded, and for how many days those
     * of a completed message are kept for replays (`true`: not at all). Absent: none are recorded.
     */
    readonly record_answers?: true | { readonly keep_days: number };
  };
  /** Options of the SDK's run, which an exported agent cannot contain. Absent: the platform's defaults. */
  readonly run?: { readonly max_turns: number };
  /** Limits of each message. Absent: none. */
  readonly limits?: ManifestLimits;
  readonly secrets: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Hosts, in lower case, or only those of models. Absent: all that the organization allows. */
  readonly egress?: readonly string[] | typeof modelsOnly;
  /** Hosts of models besides those that the platform knows. Absent: none. */
  readonly models?: readonly DeclaredModel[];
}

const suffixes: Readonly<Record<Language, readonly string[]>> = {
  python: [".py"],
  typescript: [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"],
};

/** Returns the language of an entrypoint's suffix, if known. */
export function languageOfEntrypoint(entrypoint: string): Language | undefined {
  const file = (entrypoint.split(":")[0] ?? "").trim();
  return languages.find((language) => suffixes[language].some((suffix) => file.endsWith(suffix)));
}

// Reads a whole specification from a given environment once. Reports all problems together.

import { similarWord } from "@dari/domain";
import { StartError } from "../start-error.ts";
import { describeConfig, isField, type ConfigOf, type ConfigSpec } from "./config-spec.ts";
import type { Field } from "./config-field.ts";

export interface ConfigProblem {
  readonly env: string;
  readonly message: string;
}

/** All problems of an environment. */
export class ConfigError extends StartError {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ env, message }) => `- ${env}: ${message}`);
    super(["The settings cannot be used:", ...lines].join("\n"));
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ReadConfigOptions<S extends ConfigSpec> {
  /** Checks combinations of fields. Called only if every field could be read. */
  readonly check?: (config: ConfigOf<S>) => readonly ConfigProblem[];
}

/**
 * Reads `spec` from `env` into a deeply frozen object of the same shape. An empty variable counts as unset.
 * Throws one ConfigError that lists all problems, with variables whose name is almost that of a setting.
 */
export function readConfig<const S extends ConfigSpec>(
  spec: S,
  env: Environment,
  options: ReadConfigOptions<S> = {},
): ConfigOf<S> {
  const problems: ConfigProblem[] = misspelledSettings(spec, env);
  const config = readGroup(spec, env, problems) as ConfigOf<S>;
  if (problems.length === 0) problems.push(...(options.check?.(config) ?? []));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/**
 * Other variables are ignored: several programs can have the same environment. A test makes sure that the names of all
 * settings differ by more than a typing error.
 */
function misspelledSettings(spec: ConfigSpec, env: Environment): ConfigProblem[] {
  const known = describeConfig(spec).map((row) => row.env);
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith("DARI_") || env[name] === "" || known.includes(name)) return [];
    const meant = similarWord(name, known, typingErrorsMax);
    return meant === undefined ? [] : [{ env: name, message: `unknown setting; did you mean '${meant}'?` }];
  });
}

const shortNameChars = 12;

/** Returns how many typing errors a setting's name can have to be recognized. */
export function typingErrorsMax(name: string): number {
  return name.length < shortNameChars ? 1 : 2;
}

function readGroup(spec: ConfigSpec, env: Environment, problems: ConfigProblem[]): object {
  const entries = Object.entries(spec).map(([key, item]) => {
    if (!isField(item)) return [key, readGroup(item, env, problems)] as const;
    if (item.keyEnding !== undefined && !key.endsWith(item.keyEnding)) {
      throw new TypeError(`The setting ${key} (${item.env}) must be named with its unit: …${item.keyEnding}`);
    }
    return [key, readField(item, env, problems)] as const;
  });
  return Object.freeze(Object.fromEntries(entries));
}

function readField<T>(field: Field<T>, env: Environment, problems: ConfigProblem[]): T | undefined {
  const text = env[field.env]?.trim() ?? "";
  if (text === "") {
    if (field.unset.as === "default") return field.unset.value;
    if (field.unset.as === "problem") problems.push({ env: field.env, message: "is required" });
    return undefined;
  }
  const reading = field.read(text);
  if (reading.ok) return reading.value;
  const shown = field.secret ? "" : `, got ${JSON.stringify(text)}`;
  problems.push({ env: field.env, message: reading.expected + shown });
  return undefined;
}

// Reads the command line of a lab program. A wrong command line prints the usage and exits with 2.

import { parseArgs, type ParseArgsConfig } from "node:util";
import { relative } from "node:path";

type Specification = NonNullable<ParseArgsConfig["options"]>;
type Values<S extends Specification> = ReturnType<typeof parseArgs<{ options: S }>>["values"];

export interface Flags<S extends Specification> {
  readonly values: Values<S>;
  /** Returns the flag's value, a number of at least `least` (default 0), or undefined if the flag is missing. */
  number(name: keyof S & string, least?: number): number | undefined;
  /** Like `number`, for a whole number with a default. */
  whole(name: keyof S & string, least?: number): number;
  /** Prints what is wrong with the command line, and ends the program. */
  refuse(problem: string): never;
}

/** Reads the flags. Ends the program for `--help` or a wrong command line, so call it before you open anything. */
export function readFlags<const S extends Specification>(options: S): Flags<S> {
  const refuse = (problem: string): never => leave(2, `${problem}\n${usageOf(options)}`);
  const values = parse(options, refuse);
  const number = (name: keyof S & string, least = 0): number | undefined => {
    const text: unknown = values[name as keyof Values<S>];
    if (text === undefined) return undefined;
    const value = typeof text === "string" && text.trim() !== "" ? Number(text) : NaN;
    return Number.isFinite(value) && value >= least
      ? value
      : refuse(`--${name} is a number from ${least}, not ${text}`);
  };
  return {
    values,
    number,
    whole(name, least = 1) {
      const value = number(name, least);
      return Number.isSafeInteger(value) ? (value as number) : refuse(`--${name} is a whole number from ${least}`);
    },
    refuse,
  };
}

function parse<S extends Specification>(options: S, refuse: (problem: string) => never): Values<S> {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) leave(0, usageOf(options));
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS_")) throw error;
    // The first sentence is enough; the others explain how to pass a word that looks like a flag.
    return refuse((error as Error).message.split(". ")[0] ?? "");
  }
}

function usageOf(options: Specification): string {
  const name = relative(import.meta.dirname, process.argv[1] ?? "").replace(/\.ts$/, "");
  const flags = Object.entries(options).map(([flag, { type, default: standard }]) => {
    if (type === "boolean") return `[--${flag}]`;
    return typeof standard === "string" && standard !== "" ? `[--${flag} ${standard}]` : `[--${flag} …]`;
  });
  const usage = `Usage: npm run lab -- ${[name, ...flags].join(" ")}`;
  return `${usage}\nThe top of apps/lab/src/${name}.ts explains them.`;
}

function leave(code: number, text: string): never {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(code);
}

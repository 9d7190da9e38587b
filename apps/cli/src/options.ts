// Options that several commands share.

import { lanes } from "@dari/domain";
import { type Command, InvalidArgumentError, Option } from "commander";
import { invalid } from "./exit.ts";

/** Collects a repeatable option. */
export function collectOption(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

/** Returns `--agent`, also called `--agent-id`: an agent by its id or name. The value is `agentId`. */
export function agentOption(description: string): Option {
  return new Option("--agent, --agent-id <agent>", `${description}; its id or name, @last: the last one`);
}

/** Returns `--limit`: the number of rows of a list. */
export function limitOption(): Option {
  return new Option("--limit <rows>", "maximum number of rows").default(100).argParser(parseCount);
}

/** Parses a whole number from 1 to 999,999. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) {
    throw new InvalidArgumentError("expected a whole number from 1 to 999,999");
  }
  return Number(text);
}

/** Returns `--lane`. `fallback`: the platform's lane if the option is absent. */
export function laneOption(fallback: string): Option {
  const description = `priority within the organization: interactive runs before background (default: ${fallback})`;
  return new Option("--lane <lane>", description).choices(lanes);
}

export interface OrganizationOption {
  readonly org: string;
}

/** Returns `--org`. Default: the organization of the key. */
export function organizationOption(): Option {
  return new Option("--org <id>", "the organization").default("current");
}

/** Converts `["a=b"]` to `{a: "b"}`. A value can contain equals signs. @throws CliError (exit code 2) */
export function parsePairs(pairs: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at <= 0) throw invalid(`${option} expects key=value, not ${JSON.stringify(pair)}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Returns the fields that are not undefined: a request has no field for an absent option. */
export function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** Returns the first rows of a list. */
export async function collectRows<Row>(rows: AsyncIterable<Row>, limit: number): Promise<Row[]> {
  const taken: Row[] = [];
  for await (const row of rows) {
    taken.push(row);
    if (taken.length >= limit) break;
  }
  return taken;
}

/** Returns the program's options that also apply to every command, without `--version`. */
export function globalOptions(program: Command): Option[] {
  return program.options.filter(({ long }) => long !== "--version");
}

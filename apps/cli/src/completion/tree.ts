// The command's tree as data: which words can follow which.

import type { Command, Option } from "commander";
import { globalOptions } from "../options.ts";

export interface CompletedOption {
  /** `-f` and `--follow`, as typed. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** All possible values; empty if every value is allowed. */
  readonly choices: readonly string[];
}

export interface CompletedCommand {
  /** The words after `dari`; empty for the command itself. */
  readonly path: readonly string[];
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** All words that its arguments can be, if there are only a few. */
  readonly words: readonly string[];
}

/** Returns the program and everything below it, each with the global options. */
export function completedCommands(program: Command): CompletedCommand[] {
  return describe(program, [], globalOptions(program));
}

const help: CompletedOption = {
  flags: ["-h", "--help"],
  description: "display help for command",
  takesValue: false,
  choices: [],
};

function describe(command: Command, path: readonly string[], everywhere: readonly Option[]): CompletedCommand[] {
  const own = command.options.filter((option) => !option.hidden && !everywhere.includes(option));
  const here: CompletedCommand = {
    path,
    subcommands: command.commands.map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: [...[...own, ...everywhere].map(describeOption), help],
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [here, ...command.commands.flatMap((sub) => describe(sub, [...path, sub.name()], everywhere))];
}

function describeOption(option: Option): CompletedOption {
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}

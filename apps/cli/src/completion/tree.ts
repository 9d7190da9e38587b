// The command's own tree as data: what may follow which words. Knows no shell.

import type { Command, Option } from "commander";
import { globalOptions } from "../options.ts";

export interface CompletedOption {
  /** `-f` and `--follow`, as they are typed. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** Every value that it takes; empty: any. */
  readonly choices: readonly string[];
}

export interface CompletedCommand {
  /** The words after `dari`; empty for the command itself. */
  readonly path: readonly string[];
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Every word that its arguments may be, where there are so few. */
  readonly words: readonly string[];
}

/** The program and everything below it, each with the options that hold for all. */
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

// `dari completion`: prints the completion script of a shell.

import { Argument, type Command } from "commander";
import { completionScript, shells, type Shell } from "../completion/scripts.ts";
import { completedCommands } from "../completion/tree.ts";
import type { Io } from "../context.ts";

export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command("completion")
    .description("write a completion script for a shell: source <(dari completion bash)")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .action((shell: Shell) => {
      io.stdout.write(completionScript(shell, completedCommands(program)));
    });
}

// The `dari` command: parses arguments, runs one command, and turns its result into an exit code.

import { dariRelease } from "@dari/contract/vocabulary";
import { Command, CommanderError } from "commander";
import { addAgentCommands } from "./commands/agents.ts";
import { addAuthCommands } from "./commands/auth.ts";
import { addBatchCommands } from "./commands/batches.ts";
import { addChatCommand } from "./commands/chat.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConsoleCommand } from "./commands/console.ts";
import { addDeployCommand } from "./commands/deploy.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEgressCommands } from "./commands/egress.ts";
import { addEnvCommand } from "./commands/env.ts";
import { addOperatorCommand } from "./commands/operator.ts";
import { addFileCommands } from "./commands/files.ts";
import { addInitCommand } from "./commands/init.ts";
import { addLoginCommand } from "./commands/login.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addManifestCommands } from "./commands/manifest.ts";
import { addMcpCommand } from "./commands/mcp.ts";
import { addMessageCommands } from "./commands/message.ts";
import { addOrganizationCommands } from "./commands/organizations.ts";
import { addReleaseCommands } from "./commands/release.ts";
import { addRunCommand } from "./commands/run.ts";
import { addScheduleCommands } from "./commands/schedules.ts";
import { addSessionCommands } from "./commands/session.ts";
import { addTriggerCommands } from "./commands/triggers.ts";
import { addWebhookCommands } from "./commands/webhooks.ts";
import { processEnvironment } from "./config.ts";
import type { Io } from "./context.ts";
import { exitCodeOf, exitCodes } from "./exit.ts";
import { resolveLast } from "./last-used.ts";
import { globalOptions } from "./options.ts";
import { createOutput } from "./output.ts";

/** Why a command ends whose reader has closed the pipe (`| head`). That is not a failure. */
const closedPipe = new Error("the reader closed the pipe");

/** Runs the command line `argv` (without node and script) on this process's streams, and returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const { stdin, stdout, stderr } = process;
  // Interrupt the command, which would continue to write.
  const noticeClosedPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    interruption.abort(closedPipe);
  };
  stdout.on("error", noticeClosedPipe);
  const io: Io = { stdin, stdout, stderr, environment: processEnvironment(), signal: interruption.signal };
  try {
    return await runCommandLine(argv, io);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    stdout.off("error", noticeClosedPipe);
  }
}

/** Runs the command line `argv` on the streams and with the environment of `io`, and returns the exit code. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(argv, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid;
    if (io.signal.reason === closedPipe) return exitCodes.ok;
    if (io.signal.aborted) {
      io.stderr.write("dari: interrupted; messages and builds that were already started continue\n");
      return exitCodes.interrupted;
    }
    createOutput(io, argv.includes("--json")).error(error);
    return exitCodeOf(error);
  }
}

function createProgram(io: Io): Command {
  const program = new Command("dari")
    .description("Deploys agents to a Dari platform and talks to them.")
    .option("--api-url <url>", "address of the platform (DARI_API_URL; default http://127.0.0.1:4870)")
    .option("--api-key <key>", "API key (DARI_API_KEY; default: the saved one)")
    .option("--json", "write the result as JSON")
    .version(dariRelease, "-V, --version", "show the release of this command")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .showHelpAfterError("(run with --help for usage)")
    .exitOverride()
    .addHelpText("after", exitCodeHelp);
  const visibleGlobalOptions = ({ parent }: Command) => (parent === null ? [] : globalOptions(program));
  program.configureHelp({ showGlobalOptions: true, visibleGlobalOptions });
  program.hook("preAction", async (_program, command) => resolveLast(io, command));
  program.commandsGroup("Write and deploy agents:");
  addInitCommand(program, io);
  addDevCommand(program, io);
  addDeployCommand(program, io);
  addManifestCommands(program, io);
  addAgentCommands(program, io);
  addReleaseCommands(program, io);
  program.commandsGroup("Talk to agents:");
  addChatCommand(program, io);
  addRunCommand(program, io);
  addSessionCommands(program, io);
  addMessageCommands(program, io);
  addFileCommands(program, io);
  addLogsCommand(program, io);
  program.commandsGroup("Automate:");
  addScheduleCommands(program, io);
  addTriggerCommands(program, io);
  addBatchCommands(program, io);
  addWebhookCommands(program, io);
  addMcpCommand(program, io);
  program.commandsGroup("Connect:").helpCommand("help [command]", "display help for command");
  addLoginCommand(program, io);
  addAuthCommands(program, io);
  addConsoleCommand(program, io);
  addEnvCommand(program, io);
  addCompletionCommand(program, io);
  program.commandsGroup("Administer:");
  addOrganizationCommands(program, io);
  addEgressCommands(program, io);
  addDoctorCommand(program, io);
  addOperatorCommand(program, io);
  return program;
}

const exitCodeHelp = `
Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input, 3 key missing or not allowed,
4 not found, 5 conflict, 7 platform not reachable or busy, or a limit or quota reached, 130 interrupted.`;

// `dari message replay`: runs a completed turn again with its recorded answers, and shows what differs.

import { type Command, Option } from "commander";
import { createContext, type Io } from "../context.ts";
import { CliError } from "../exit.ts";
import { renderReplay, runReplay, type ReplayOptions } from "../replay/run-replay.ts";

export function addReplayCommand(message: Command, io: Io): void {
  message
    .command("replay <message>")
    .description("run a completed turn again with its recorded answers, in a fork; exit code 1 if something differs")
    .option("--version-id <id>", "run it on another ready version of the agent")
    .addOption(noLiveOption())
    .option("--keep", "keep the session of the replay; otherwise it is deleted")
    .action(async (id: string, options: ReplayOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const progress = (line: string): void => output.progress(line);
      const replayed = await runReplay(api, id, { ...options, signal, progress });
      const { report, sessionId } = replayed;
      const original = await api.getMessage(report.replay_of, {}, { signal });
      output.result(report, () => renderReplay(replayed, original));
      if (sessionId !== undefined) output.progress(`kept ${sessionId}`);
      if (!report.is_same) throw new CliError(`the replay differs from ${report.replay_of}`);
    });
}

/** `--no-live` of commands that replay turns */
export function noLiveOption(): Option {
  return new Option(
    "--no-live",
    "ask no model: a request without a recorded answer fails the replay (default: it goes to the model)",
  );
}

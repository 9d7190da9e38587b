// `dari org answer-recording …`: whether answers of models may be recorded.

import type { AnswerRecordingSetting } from "@dari/contract";
import { answerRecordings } from "@dari/domain";
import { Argument, type Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { organizationOption, type OrganizationOption } from "../options.ts";

export function addAnswerRecordingCommands(org: Command, io: Io): void {
  const recording = org
    .command("answer-recording")
    .description("show or set whether answers of models may be recorded (`retries.record_answers` in dari.yml)");
  recording
    .command("show")
    .description("show the setting")
    .addOption(organizationOption())
    .action(async ({ org: id }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const setting = await (await client()).getAnswerRecording(id, { signal });
      output.result(setting, () => setting.mode);
    });
  recording
    .command("set")
    .description("change the setting; applies from the next attempt of each message on")
    .addArgument(
      new Argument("<mode>", "allowed (if dari.yml asks for it) or never (whatever dari.yml says)").choices(
        answerRecordings,
      ),
    )
    .addOption(organizationOption())
    .action(async (mode: AnswerRecordingSetting["mode"], { org: id }: OrganizationOption, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const setting = await (await client()).putAnswerRecording({ mode }, id, { signal });
      output.result(setting, () => setting.mode);
    });
}

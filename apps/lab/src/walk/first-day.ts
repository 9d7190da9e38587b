// The first day of a newcomer with one language: from an empty home to an agent that is deployed, used and forked.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Colleague } from "./colleague.ts";
import type { Shell } from "./shell.ts";

export type Language = "typescript" | "python";

/** The language's number in the question of `dari init`, the agent's name, and what changes while `dari dev` runs. */
const languages = {
  typescript: {
    number: "1",
    name: "notes",
    file: "src/agent.ts",
    log: 'console.log("asked:", prompt);',
    before: "  // A secret",
  },
  python: { number: "2", name: "memo", file: "agent.py", log: 'print("asked:", prompt)', before: "    # A secret" },
} as const;

const chatPrompt = /\n> $/;

export interface Walked {
  /** Commands until the agent's first answer was there. */
  readonly commandsToFirstAnswer: number;
  readonly secondsToFirstAnswer: number;
}

/** Walks in `shell`, whose directory is the empty home. @throws if anything is not shown */
export async function walkFirstDay(
  shell: Shell,
  { language, apiUrl, home, colleague }: { language: Language; apiUrl: string; home: string; colleague: Colleague },
): Promise<Walked> {
  const startedAt = performance.now();
  const { number, name, file, log, before } = languages[language];
  await shell.sees(/<0>\$ /);

  const installed = await shell.run(`curl -fsSL ${apiUrl}/install.sh | sh`);
  const [, addToPath = ""] = /Add it to your PATH: (export .*)\n/.exec(installed) ?? [];
  await shell.run(addToPath);
  // A colleague, who signs in, and not the user who started the platform.
  await shell.run(`dari auth login --api-url ${apiUrl}`, async () => {
    const [, code = ""] = await shell.sees(/shows this code: ([A-Z]{4}-[A-Z]{4})/);
    await colleague.approve(code);
  });

  await shell.start(`dari init ${name}`, /Number or name \[1\]: $/);
  await shell.answer(number, /Kind of agent[^]*Number or name \[1\]: $/);
  await shell.answer("", /<0>\$ /);
  await shell.start(`dari dev ${name}`, chatPrompt);
  await shell.answer("Hello", /You said: Hello\s+I have 1 note/);
  const commandsToFirstAnswer = shell.steps.filter(({ kind }) => kind === "command").length;
  const secondsToFirstAnswer = Math.round(performance.now() - startedAt) / 1_000;

  const path = join(home, name, file);
  const source = readFileSync(path, "utf8").replace("You said", "I heard");
  const save = (): void =>
    writeFileSync(path, source.replace(before, `${before.replace(/\S.*/, "")}${log}\n${before}`));
  await shell.edit(`${file}: says "I heard", and prints a line`, save, /Version 2 is ready/);
  await shell.answer("again", /I heard: again\. I have 2 note/);
  await shell.leave();

  await shell.run(`dari deploy ${name}`);
  await shell.run("printf 'milk\\neggs\\n' > list.txt");
  await shell.start(`dari chat ${name}`, chatPrompt);
  await shell.answer("buy @list.txt", /I heard: buy @list\.txt\. I have 1 note/);
  await shell.answer("/files", /\/input\/list\.txt/);
  await shell.answer("forget", /Delete all notes\?[^]*approved \[y\/n\] $/);
  await shell.answer("y", /I have forgotten everything\./);
  await shell.leave();

  await shell.run("dari session fork -");
  await shell.run('dari session send - "in the fork"');
  const logs = await shell.run("dari logs -");
  if (!logs.includes("asked: in the fork")) throw new Error(`dari logs - shows something else:\n${logs}`);
  return { commandsToFirstAnswer, secondsToFirstAnswer };
}

// Walks the first day of a newcomer, in a terminal: an empty home, Node 20, and a platform elsewhere, of which only the
// address is known. Installs the command, signs in, writes an agent, talks to it while it is changed, deploys it, chats
// with a file and an approval, forks, and reads the logs, in TypeScript and in Python. Prints what the terminal showed.
//
//   npm run lab -- walk [--language typescript] [--json FILE]
//
// --json saves the commands and lines with their seconds. Fails if a step does not show what it must, if the first
// answer needs more than 6 commands, or if an id is typed. Needs `script` (util-linux), curl and the npm registry.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { exitOnSignal } from "./ship/exit-on-signal.ts";
import { readFlags } from "./flags.ts";
import { describeMachine } from "./machine.ts";
import { nodeDirectory } from "./npm-programs.ts";
import { checkout } from "./program.ts";
import { runOrThrow } from "./python-environment.ts";
import { startStandalone } from "./standalone-process.ts";
import { inviteColleague, type Colleague } from "./walk/colleague.ts";
import { walkFirstDay, type Language } from "./walk/first-day.ts";
import { openShell, type Step } from "./walk/shell.ts";

const commandsMax = 6;
/** Ids and keys of the platform. A device's code is shown in the terminal and approved in the browser. */
const idPattern = /\b(?:agt|dep|ver|src|sess|msg|att|snap|file|org|key|dari)_[0-9a-zA-Z]+/g;

interface Walk {
  readonly language: Language;
  readonly commandsToFirstAnswer: number;
  readonly secondsToFirstAnswer: number;
  readonly seconds: number;
  readonly idsTyped: readonly string[];
  readonly steps: readonly Step[];
}

const flags = readFlags({ language: { type: "string" }, json: { type: "string" } });
const known: readonly Language[] = ["typescript", "python"];
const languages = known.filter((language) => (flags.values.language ?? language) === language);
if (languages.length === 0) flags.refuse(`--language is typescript or python, not ${flags.values.language}`);

await using stack = new AsyncDisposableStack();
exitOnSignal(stack);
await runOrThrow(process.execPath, [path.join(checkout, "scripts/run.mjs"), "packages"]);
const node = await nodeDirectory(20);
const platform = stack.use(await startStandalone());
const colleague = await inviteColleague(platform.apiUrl, platform.apiKey);

const walks: Walk[] = [];
for (const language of languages) walks.push(await walk(language, platform.apiUrl, colleague));

const tooMany = walks.filter(({ commandsToFirstAnswer }) => commandsToFirstAnswer > commandsMax);
const typed = walks.flatMap(({ idsTyped }) => idsTyped);
const { stdout: version } = await runOrThrow(path.join(node, "node"), ["--version"]);
const result = { machine: describeMachine(), node: version.trim(), walks };
if (flags.values.json !== undefined) await writeFile(flags.values.json, `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${walks.map(summarize).join("\n")}\n`);
for (const { language } of tooMany) process.stderr.write(`${language}: more than ${commandsMax} commands\n`);
if (typed.length > 0) process.stderr.write(`ids were typed: ${typed.join(", ")}\n`);
process.exitCode = tooMany.length + typed.length > 0 ? 1 : 0;

async function walk(language: Language, apiUrl: string, colleague: Colleague): Promise<Walk> {
  const home = await mkdtemp(path.join(tmpdir(), "dari-walk-"));
  try {
    const environment = { HOME: home, PATH: `${node}:/usr/local/bin:/usr/bin:/bin`, LANG: "C.UTF-8" };
    await using shell = openShell(environment, home);
    const startedAt = performance.now();
    const walked = await walkFirstDay(shell, { language, apiUrl, home, colleague });
    const seconds = Math.round(performance.now() - startedAt) / 1_000;
    process.stdout.write(`=== ${language}\n${shell.transcript()}\n\n`);
    const idsTyped = shell.steps.flatMap(({ kind, text }) => (kind === "edit" ? [] : (text.match(idPattern) ?? [])));
    return { language, ...walked, seconds, idsTyped, steps: shell.steps };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function summarize({ language, steps, ...found }: Walk): string {
  const commands = steps.filter(({ kind }) => kind === "command");
  const lines = commands.map(({ text, seconds }) => `  ${seconds.toFixed(1).padStart(6)} s  ${text}`);
  const first = `${found.commandsToFirstAnswer} commands, ${found.secondsToFirstAnswer.toFixed(1)} s`;
  const whole = `${found.idsTyped.length} ids typed, ${found.seconds.toFixed(1)} s in all`;
  return [`${language}: ${first} to the first answer; ${whole}`, ...lines].join("\n");
}

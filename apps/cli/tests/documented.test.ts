// The commands and options of `dari` that documents show exist.

import { expect, test } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runDari, temporaryTree } from "./run-dari.ts";

const checkout = join(import.meta.dirname, "../../..");
const ignored = new Set(["node_modules", ".git", ".cache", "dist"]);

interface Known {
  readonly words: readonly string[];
  readonly flags: ReadonlySet<string>;
}

/** Every command by its words, each with a space before it. The completion script lists them. */
async function readCommands(): Promise<ReadonlyMap<string, Known>> {
  await using root = await temporaryTree({});
  const { stdout } = await runDari(["completion", "bash"], { cwd: root.path });
  const lines = stdout.matchAll(/^ {4}"([^"]*)"\) words="([^"]*)" flags="([^"]*)" ;;$/gm);
  return new Map(
    [...lines].map(([, at = "", words = "", flags = ""]) => [
      at,
      { words: words.split(" "), flags: new Set(flags.split(" ")) },
    ]),
  );
}

function listDocuments(directory: string): string[] {
  return readdirSync(join(checkout, directory), { withFileTypes: true }).flatMap((entry) => {
    const name = join(directory, entry.name);
    if (entry.isDirectory()) return ignored.has(entry.name) ? [] : listDocuments(name);
    // The changelog also names commands of earlier releases.
    return entry.isFile() && name.endsWith(".md") && name !== "CHANGELOG.md" ? [name] : [];
  });
}

const startsCommand = /(?:^|[|;&(`]|\bdo|\w=\S*|npm run -s) *dari (?:-- )?([^|;)#`]*)/g;

/** The words behind each `dari`: in blocks of shell and in code within sentences. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/```(?:sh)?\n(.*?)```/gs)].map(([, block = ""]) => block.replace(/\\\n\s*/g, " "));
  const inline = [...text.replace(/```.*?```/gs, "").matchAll(/`dari [^`]+`/g)].map(([code]) =>
    code.replace(/\s+/g, " "),
  );
  const lines = [...blocks.flatMap((block) => block.split("\n")), ...inline];
  return lines.flatMap((line) => [...line.matchAll(startsCommand)].map(([, words = ""]) => words.trim()));
}

/** Returns what a command line has that does not exist. */
function findUnknown(commands: ReadonlyMap<string, Known>, line: string): string[] {
  const words = line.split(" ").filter(Boolean);
  let at = "";
  for (const word of words) {
    if (!commands.has(`${at} ${word}`)) break;
    at += ` ${word}`;
  }
  const [next = ""] = words.slice(at.split(" ").length - 1);
  const isGroup = [...commands.keys()].some((path) => path.startsWith(`${at} `));
  const flags = words.flatMap((word) => /^--?[a-z][a-z-]*/.exec(word) ?? []);
  return [
    ...(isGroup && /^[a-z]/.test(next) ? [next] : []),
    ...flags.filter((flag) => !commands.get(at)?.flags.has(flag)),
  ];
}

test("an unknown command or option is found", async () => {
  const commands = await readCommands();
  const block = "```sh\nX=1 dari session list --limit 5 | dari frobnicate\n```";
  const text = `\`dari session lst\` and \`dari deploy --fast .\`\n${block}`;
  expect(commandsIn(text).flatMap((line) => findUnknown(commands, line))).toEqual(["frobnicate", "lst", "--fast"]);
});

test("every command and option in the documents exists", async () => {
  const commands = await readCommands();
  const found = listDocuments("").flatMap((name) =>
    commandsIn(readFileSync(join(checkout, name), "utf8")).map((line) => ({ name, line })),
  );
  expect(found.length).toBeGreaterThan(150);
  const unknown = found.flatMap(({ name, line }) =>
    findUnknown(commands, line).map((word) => `${name}: ${word} in dari ${line}`),
  );
  expect(unknown).toEqual([]);
});

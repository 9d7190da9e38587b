// `dari init`: writes a small agent with its types and a test. Overwrites nothing.

import { Option, type Command } from "commander";
import { lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { chooseAgent, initKinds, initLanguages, type InitOptions } from "../init/kinds.ts";
import { templateFiles } from "../init/templates.ts";

export function addInitCommand(program: Command, io: Io): void {
  program
    .command("init [directory]")
    .description("write a small agent to start from")
    .option("--name <name>", "the agent's name (default: the directory's)")
    .addOption(new Option("--language <language>", "the agent's language").choices(initLanguages))
    .addOption(new Option("--kind <kind>", "kind of agent: a function, or an agent of an SDK").choices(initKinds))
    .option("--python", "the same as --language python")
    .action(async (directory: string | undefined, options: InitOptions & { name?: string }, command: Command) => {
      const { output, connection } = createContext(io, command);
      const root = directory ?? ".";
      const name = options.name ?? (basename(resolve(root)) || "agent");
      const choice = await chooseAgent(options, io.stdin.isTTY && !output.isJson ? terminalOf(io) : undefined);
      const { apiUrl } = await connection();
      const files = templateFiles(name, choice, apiUrl);
      await refuseExisting(root, Object.keys(files));
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), content, { flag: "wx" });
      }
      output.result({ root, files: Object.keys(files) }, () => {
        const lines = Object.keys(files).map((path) => `wrote ${join(root, path)}`);
        return [...lines, `Next: dari dev ${root}`].join("\n");
      });
    });
}

/** Returns a function that asks at the terminal. */
function terminalOf(io: Io): (question: string) => Promise<string> {
  return async (question) => {
    const reader = createInterface({ input: io.stdin, output: io.stderr });
    try {
      return await reader.question(question, { signal: io.signal });
    } finally {
      reader.close();
    }
  };
}

async function refuseExisting(root: string, paths: readonly string[]): Promise<void> {
  const existing: string[] = [];
  for (const path of paths) {
    const exists = await lstat(join(root, path)).then(
      () => true,
      () => false,
    );
    if (exists) existing.push(join(root, path));
  }
  if (existing.length === 0) return;
  const found = `${existing.join(", ")} already ${existing.length === 1 ? "exists" : "exist"}`;
  throw invalid(`${found}; nothing was written; pass another directory, or remove these files`);
}

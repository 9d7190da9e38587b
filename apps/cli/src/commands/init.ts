// `dari init`: writes a small agent that runs without changes, a model or a key. Overwrites nothing.

import type { Command } from "commander";
import { lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";

interface InitOptions {
  readonly name?: string;
  readonly python?: boolean;
}

export function addInitCommand(program: Command, io: Io): void {
  program
    .command("init [directory]")
    .description("write a small agent to start from")
    .option("--name <name>", "the agent's name; otherwise the directory's")
    .option("--python", "write it in Python instead of TypeScript")
    .action(async (directory: string | undefined, options: InitOptions, command: Command) => {
      const { output } = createContext(io, command);
      const root = directory ?? ".";
      const name = options.name ?? (basename(resolve(root)) || "agent");
      const files = options.python === true ? pythonFiles(name) : typescriptFiles(name);
      await refuseExisting(root, Object.keys(files));
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), content, { flag: "wx" });
      }
      output.result({ root, files: Object.keys(files) }, () => {
        const lines = Object.keys(files).map((path) => `wrote ${join(root, path)}`);
        return [...lines, `Next: dari deploy ${root}`].join("\n");
      });
    });
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
  if (existing.length > 0) throw invalid(`already there: ${existing.join(", ")}; nothing was written`);
}

function typescriptFiles(name: string): Record<string, string> {
  return {
    "dari.yml": manifestText(name, "src/agent.ts:agent"),
    "src/agent.ts": `import { appendFile, readFile } from "node:fs/promises";

// The working directory is the session's workspace: what is written there is still there in the next message.
export async function agent(prompt: string): Promise<string> {
  await appendFile("notes.txt", \`\${prompt}\\n\`);
  const notes = (await readFile("notes.txt", "utf8")).trimEnd().split("\\n");
  return \`You said: \${prompt}. I have \${notes.length} note(s) of this session.\`;
}
`,
  };
}

function pythonFiles(name: string): Record<string, string> {
  return {
    "dari.yml": manifestText(name, "agent.py:agent"),
    "agent.py": `from pathlib import Path


# The working directory is the session's workspace: what is written there is still there in the next message.
async def agent(prompt: str) -> str:
    notes = Path("notes.txt")
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"{prompt}\\n")
    count = len(notes.read_text(encoding="utf-8").splitlines())
    return f"You said: {prompt}. I have {count} note(s) of this session."
`,
  };
}

/** JSON strings are valid YAML. */
function manifestText(name: string, entrypoint: string): string {
  return `name: ${JSON.stringify(name)}
sdk: function
entrypoint: ${entrypoint}
runtime:
  timeout_seconds: 600
retries:
  max_attempts: 2
`;
}

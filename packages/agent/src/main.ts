// `dari-agent run [entrypoint] <prompt>`: one turn of an agent in this folder, without a platform.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { runLocally, type LocalInput, type LocalTurn } from "./local.ts";
import type { HistoryEntry } from "./types.ts";

const usage = `Usage: dari-agent run [<file>:<export>] <prompt> [options]

Runs one turn of the agent in this folder, without a platform and without a sandbox.

  --file <path>          a file of the message; can be repeated
  --answer <key>=<json>  an answer to requestInput; can be repeated
  --sdk <name>           sdk of dari.yml (default: what dari.yml says)
  --new                  start a new session; otherwise the one in .dari/local continues
`;

const sessionDir = ".dari/local";
const exitCodes = { completed: 0, failed: 1, waiting_for_input: 3 } as const;

/** Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      file: { type: "string", multiple: true, default: [] },
      answer: { type: "string", multiple: true, default: [] },
      sdk: { type: "string" },
      new: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help || command !== "run" || rest.length === 0 || rest.length > 2) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const prompt = rest.at(-1) ?? "";
  const entrypoint = rest.length === 2 ? rest[0] : manifestField("entrypoint");
  if (entrypoint === undefined) throw new Error("there is no dari.yml here: name the entrypoint as <file>:<export>");
  if (existsSync(".env")) process.loadEnvFile(".env");
  if (values.new) rmSync(sessionDir, { recursive: true, force: true });
  const session = openSession();
  const answers = Object.fromEntries(values.answer.map(readAnswer));
  const files = Object.fromEntries(values.file.map((path) => [basename(path), readFileSync(path)]));
  for (;;) {
    const turn = await runLocally(entrypoint, prompt, {
      ...session,
      answers,
      files,
      sdk: values.sdk ?? manifestField("sdk") ?? "function",
      onEvent: ({ type, data }) => void process.stderr.write(`[${type}] ${JSON.stringify(data)}\n`),
    });
    const answer = turn.input === undefined ? undefined : await ask(turn.input);
    if (turn.input === undefined || answer === undefined) return finish(turn, prompt, session.history);
    answers[turn.input.key] = answer;
  }
}

/** Returns a field of dari.yml on its own line, without reading the rest of the file. */
function manifestField(name: string): string | undefined {
  if (!existsSync("dari.yml")) return undefined;
  const found = new RegExp(`^${name}:[ \\t]*(["']?)([^"'#\\n]+?)\\1[ \\t]*(#.*)?$`, "m");
  return found.exec(readFileSync("dari.yml", "utf8"))?.[2];
}

interface Session {
  readonly workspace: string;
  readonly home: string;
  readonly history: HistoryEntry[];
}

const historyFile = join(sessionDir, "history.json");

function openSession(): Session {
  mkdirSync(sessionDir, { recursive: true });
  const history = existsSync(historyFile) ? (JSON.parse(readFileSync(historyFile, "utf8")) as HistoryEntry[]) : [];
  return { workspace: join(sessionDir, "workspace"), home: join(sessionDir, "home"), history };
}

function readAnswer(text: string): [string, unknown] {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`--answer: expected <key>=<json>, got ${JSON.stringify(text)}`);
  return [text.slice(0, at), JSON.parse(text.slice(at + 1)) as unknown];
}

/** Asks at the terminal. Returns undefined if there is none. */
async function ask({ key, schema, prompt }: LocalInput): Promise<unknown> {
  process.stderr.write(`\n${prompt ?? key}\n${JSON.stringify(schema)}\n`);
  if (!process.stdin.isTTY) {
    process.stderr.write(`Run it again with --answer '${key}=<json>'.\n`);
    return undefined;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return JSON.parse(await terminal.question("Answer as JSON: ")) as unknown;
  } finally {
    terminal.close();
  }
}

function finish(turn: LocalTurn, prompt: string, history: readonly HistoryEntry[]): number {
  if (turn.status === "completed") {
    const files = turn.parts.flatMap((part) => (part.type === "file" ? [join(turn.workspace, part.path)] : []));
    process.stdout.write([turn.text, ...files, ""].join("\n"));
    const own = { role: "user" as const, parts: [{ type: "text" as const, text: prompt }] };
    writeFileSync(historyFile, JSON.stringify([...history, own, { role: "assistant", parts: turn.parts }]));
  }
  if (turn.error !== undefined) process.stderr.write(`${turn.error.code}: ${turn.error.stack || turn.error.message}\n`);
  return exitCodes[turn.status];
}

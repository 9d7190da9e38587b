// A person's shell in a terminal of its own: types commands and lines, waits for what is shown, and notes each step.

import { spawn } from "node:child_process";
import { waitUntil } from "@dari/testkit";
import { renderLines, stripSequences } from "./render.ts";

/** `command`: a line at the shell's prompt. `line`: what a program asks for. `edit`: a file that an editor saves. */
export interface Step {
  readonly kind: "command" | "line" | "edit";
  readonly text: string;
  /** How long it took to the next prompt, or to what the person waits for. */
  readonly seconds: number;
}

export interface Shell extends AsyncDisposable {
  readonly steps: readonly Step[];
  /** Types a command that stays in the terminal, and waits for `pattern`. */
  start(command: string, pattern: RegExp): Promise<RegExpExecArray>;
  /** Types a command and waits for its end. `attend` runs while it does. Returns what it showed. @throws if it fails */
  run(command: string, attend?: () => Promise<void>): Promise<string>;
  /** Types a line for the program that runs, and waits for `pattern`. */
  answer(line: string, pattern: RegExp): Promise<RegExpExecArray>;
  /** Saves a file as an editor does, and waits for `pattern`. */
  edit(what: string, save: () => void, pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits for `pattern` after what was waited for before. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
  /** Presses Ctrl-D and waits for the end of the program that runs. @throws if it fails */
  leave(): Promise<void>;
  /** Returns what a reader of the terminal saw so far. */
  transcript(): string;
}

/** With the exit code of the command before, which the transcript does not show. */
const prompt = "<$?>$ ";
const promptPattern = /<(\d+)>\$ /;
const withinMs = 180_000;

/** Opens a shell with exactly this environment. Needs `script`, of util-linux. */
export function openShell(environment: Readonly<Record<string, string>>, directory: string): Shell {
  const terminal = openTerminal(environment, directory);
  const { sees, type } = terminal;
  const steps: Step[] = [];
  const timed = async <Result>(kind: Step["kind"], text: string, work: () => Promise<Result>): Promise<Result> => {
    const startedAt = performance.now();
    const result = await work();
    steps.push({ kind, text, seconds: Math.round(performance.now() - startedAt) / 1_000 });
    return result;
  };
  const untilPrompt = async (command: string): Promise<void> => {
    const [, code] = await sees(promptPattern);
    if (code !== "0") terminal.fail(new Error(`${command} ended with ${code}`));
  };
  return {
    steps,
    sees,
    start: (command, pattern) =>
      timed("command", command, () => {
        type(`${command}\r`);
        return sees(pattern);
      }),
    run: (command, attend) =>
      timed("command", command, async () => {
        const shownSince = terminal.mark();
        type(`${command}\r`);
        await attend?.();
        await untilPrompt(command);
        return shownSince();
      }),
    answer: (line, pattern) =>
      timed("line", line, () => {
        type(`${line}\r`);
        return sees(pattern);
      }),
    edit: (what, save, pattern) =>
      timed("edit", what, () => {
        save();
        return sees(pattern);
      }),
    async leave() {
      type("\u0004");
      await untilPrompt(steps.findLast(({ kind }) => kind === "command")?.text ?? "the program");
    },
    transcript: () => `${terminal.lines()} `.replaceAll(new RegExp(promptPattern, "g"), "$ ").trimEnd(),
    [Symbol.asyncDispose]: () => terminal.close(),
  };
}

function openTerminal(environment: Readonly<Record<string, string>>, directory: string) {
  const env = { ...environment, PS1: prompt, PS2: "", ENV: "", SHELL: "/bin/sh", TERM: "xterm-256color" };
  const child = spawn("script", ["-qefc", "stty cols 120 rows 40; exec sh -i", "/dev/null"], { cwd: directory, env });
  let raw = "";
  let seen = 0;
  let isOver = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => (raw += piece));
  }
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => (isOver = true));
  const fail = (error: unknown): never => {
    throw new Error(`${String(error)}\nThe terminal:\n${renderLines(raw)}`, { cause: error });
  };
  return {
    fail,
    lines: () => renderLines(raw),
    type: (text: string): void => void child.stdin.write(text),
    /** Returns a function that returns what was shown and waited for since. */
    mark() {
      const from = seen;
      return () => stripSequences(raw).slice(from, seen);
    },
    async sees(pattern: RegExp): Promise<RegExpExecArray> {
      const find = () => pattern.exec(stripSequences(raw).slice(seen));
      const what = `the terminal to show ${pattern.source}`;
      await waitUntil(() => find() !== null || isOver, { what, timeoutMs: withinMs }).catch(fail);
      const found = find() ?? fail(new Error(`the terminal ended before it showed ${pattern.source}`));
      seen += found.index + found[0].length;
      return found;
    },
    async close(): Promise<void> {
      // Ends the terminal, and with it what runs in it.
      if (!isOver) child.kill("SIGKILL");
      await ended;
    },
  };
}

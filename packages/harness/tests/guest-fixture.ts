// Starts real guests as plain child processes, with the runtimes that this machine has.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  captureLogs,
  guestCommand,
  runTurn,
  type Language,
  type ProcessExit,
  type ReportFrame,
  type RunRequest,
  type RunTurnOptions,
  type TurnContext,
  type TurnEnding,
} from "../src/index.ts";

export interface Runtime {
  readonly title: string;
  readonly language: Language;
  readonly interpreter: string;
  readonly imageDir: string;
  /** The file of scripted agents. */
  readonly file: string;
}

const agents = fileURLToPath(new URL("./agents", import.meta.url));

/** Returns each Node in the usual places, and the Python that `python3` means. */
export function findRuntimes(): Runtime[] {
  const nodes = [process.execPath, "/usr/bin/node", "/usr/local/bin/node"].filter((path) => existsSync(path));
  const python = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).stdout.trim();
  return [
    ...[...new Set(nodes.map((path) => realpathSync(path)))].map((interpreter) => ({
      title: versionOf(interpreter),
      language: "typescript" as const,
      interpreter,
      imageDir: join(agents, "node"),
      file: "agents.mjs",
    })),
    {
      title: versionOf(python),
      language: "python",
      interpreter: python,
      imageDir: join(agents, "python"),
      file: "agents.py",
    },
  ];
}

/**
 * Returns this Node and the machine's Python: `npm test` runs the suites of the guests with these, and
 * older-runtimes.nightly.test.ts with every other one.
 */
export function runtimesOfThisRun(): Runtime[] {
  const isNightly = process.env["DARI_TEST_RING"] === "nightly";
  const newest = realpathSync(process.execPath);
  const isOlder = ({ language, interpreter }: Runtime) => language === "typescript" && interpreter !== newest;
  return findRuntimes().filter((runtime) => isOlder(runtime) === isNightly);
}

function versionOf(interpreter: string): string {
  return `${interpreter} ${spawnSync(interpreter, ["--version"], { encoding: "utf8" }).stdout.trim()}`;
}

export interface Guest {
  readonly pid: number;
  readonly channel: Duplex;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<ProcessExit>;
  readonly workspace: string;
  end(): Promise<void>;
}

export async function startGuest(
  runtime: Runtime,
  extraArguments: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Guest> {
  const workspace = await mkdtemp(join(tmpdir(), "harness-test-"));
  const [command, ...args] = guestCommand(runtime.language, runtime.interpreter).argv;
  const child: ChildProcess = spawn(command!, [...extraArguments, ...args], {
    cwd: workspace,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const exited = new Promise<ProcessExit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  return {
    pid: child.pid!,
    channel: child.stdio[3] as Duplex,
    stdout: child.stdout!,
    stderr: child.stderr!,
    exited,
    workspace,
    async end() {
      child.kill("SIGKILL");
      await exited;
      await rm(workspace, { recursive: true, force: true });
    },
  };
}

export interface Played {
  readonly ending: TurnEnding;
  readonly frames: ReportFrame[];
  readonly logs: Record<"stdout" | "stderr", string>;
  readonly workspace: string;
}

export const sampleContext: TurnContext = {
  sessionId: "sess_1",
  messageId: "msg_1",
  attempt: 2,
  parts: [
    { type: "text", text: "hi" },
    { type: "file", path: "/input/a.txt" },
  ],
  metadata: { key: "value" },
  history: [{ role: "user", parts: [{ type: "text", text: "before" }] }],
  operationKey: "op_1",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  answers: { known: { yes: true } },
};

/** Returns the request of one turn. */
export function requestFor(
  runtime: Runtime,
  guest: Guest,
  exportName: string,
  o: Pick<TurnContext, "earlierMessages" | "steps"> & { file?: string | undefined; prompt?: string | undefined } = {},
): RunRequest {
  const { earlierMessages, steps } = o;
  return {
    entry: { file: o.file ?? runtime.file, export: exportName },
    imageDir: runtime.imageDir,
    workspace: guest.workspace,
    sdk: "claude-agent-sdk",
    prompt: o.prompt ?? "hello",
    context: {
      ...sampleContext,
      ...(earlierMessages === undefined ? {} : { earlierMessages }),
      ...(steps === undefined ? {} : { steps }),
    },
  };
}

/** Runs one scripted agent to its ending. */
export async function play(
  runtime: Runtime,
  exportName: string,
  o: Partial<RunTurnOptions> &
    Pick<TurnContext, "earlierMessages" | "steps"> & {
      file?: string;
      prompt?: string;
      arguments?: readonly string[];
    } = {},
): Promise<Played> {
  const guest = await startGuest(runtime, o.arguments);
  const frames: ReportFrame[] = [];
  const logs = { stdout: "", stderr: "" };
  const captured = captureLogs({ ...guest, maxBytes: 1_000_000, onText: (stream, text) => (logs[stream] += text) });
  try {
    const ending = await runTurn({
      channel: guest.channel,
      exited: guest.exited,
      request: requestFor(runtime, guest, exportName, o),
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame: (frame) => void frames.push(frame),
      stderrTail: () => captured.done.then(() => captured.tail("stderr")),
      ...o,
    });
    return { ending, frames, logs, workspace: guest.workspace };
  } finally {
    await guest.end();
    await captured.done;
  }
}

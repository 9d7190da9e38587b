// Runs an agent's entrypoint in this process, without a platform: for tests and for a first try.

import { guestLimits, readParts, runInProcess, type LocalFrame } from "@dari/harness/local";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { AgentFunction, HistoryEntry, JsonSchema, OutputPart, Part, Usage } from "./types.ts";

/** The platform's default of run.max_turns. */
const maxTurns = 100;

export interface LocalOptions {
  /** Answers to `requestInput`, by key. */
  readonly answers?: Readonly<Record<string, unknown>>;
  /** Files of the message: content by name. They are written to `input/` of the workspace. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly history?: readonly HistoryEntry[];
  /** Messages that steer the turn. They wait from its start. */
  readonly inbox?: readonly string[];
  /** Steps of an earlier run of the same message. This run gets their results. */
  readonly steps?: readonly LocalStep[];
  /** The session's directory. Default: a new temporary one. */
  readonly workspace?: string;
  /** The agent's HOME, where SDKs keep their memory. Default: a new temporary one. */
  readonly home?: string;
  /** `sdk` of dari.yml. Only an exported SDK object needs it. */
  readonly sdk?: string;
  /** Aborts the turn, as a cancelled message does. */
  readonly signal?: AbortSignal;
  /** Gets the text as it is streamed. */
  onText?(text: string): void;
  onEvent?(event: LocalEvent): void;
}

export interface LocalEvent {
  readonly type: string;
  readonly data: unknown;
}

/** The recorded result of a step. */
export interface LocalStep {
  readonly name: string;
  readonly ordinal: number;
  readonly json: string;
}

export interface LocalInput {
  readonly key: string;
  readonly schema: JsonSchema;
  readonly prompt?: string | undefined;
}

export interface LocalTurn {
  readonly status: "completed" | "failed" | "waiting_for_input";
  /** The text of the answer. */
  readonly text: string;
  readonly parts: readonly OutputPart[];
  readonly events: readonly LocalEvent[];
  readonly usage?: Usage | undefined;
  readonly workspace: string;
  /** Why it failed. `code` is as on the platform. */
  readonly error?: { readonly code: string; readonly message: string; readonly stack?: string | undefined };
  /** What it asked. Run it again with an answer in `answers`. */
  readonly input?: LocalInput;
  /** The recorded steps. Run it again with them in `steps`, like a later attempt. */
  readonly steps: readonly LocalStep[];
}

/**
 * Runs one turn. `agent`: the function or SDK object, or its entrypoint as in dari.yml (`src/agent.ts:agent`). Changes
 * the working directory and HOME of this process until the turn ends, so run one turn at a time.
 */
export async function runLocally(
  agent: AgentFunction | object | string,
  prompt: string,
  options: LocalOptions = {},
): Promise<LocalTurn> {
  const workspace = directory(options.workspace, "workspace");
  const home = directory(options.home, "home");
  const before = { cwd: process.cwd(), home: process.env["HOME"], bundle: process.env["DARI_BUNDLE_DIR"] };
  const events: LocalEvent[] = [];
  const steps = [...(options.steps ?? [])];
  const onFrame = (frame: LocalFrame): void => {
    if (frame.t === "step") {
      const { name, ordinal, json } = frame as unknown as LocalStep;
      steps.push({ name, ordinal, json });
    }
    if (frame.t === "delta") options.onText?.(String(frame["text"]));
    if (frame.t !== "event" && frame.t !== "activity") return;
    const event = { type: String(frame["type"] ?? frame["name"]), data: frame["data"] ?? null };
    events.push(event);
    options.onEvent?.(event);
  };
  const entry = entryOf(agent);
  const found = typeof agent === "string" ? undefined : { value: agent, file: join(before.cwd, entry.file) };
  process.env["HOME"] = home;
  try {
    const request = { ...requestOf(prompt, workspace, options), entry, imageDir: before.cwd };
    const last = await runInProcess(request, { found, signal: options.signal, inbox: inboxOf(options), onFrame });
    return { ...endOf(last, workspace), events, steps, workspace };
  } finally {
    process.chdir(before.cwd);
    setVariable("HOME", before.home);
    setVariable("DARI_BUNDLE_DIR", before.bundle);
  }
}

function entryOf(agent: unknown): { file: string; export: string } {
  if (typeof agent !== "string") return { file: "agent", export: "agent" };
  const [file, name] = agent.split(":");
  if (!file || !name) throw new TypeError(`expected <file>:<export>, got ${JSON.stringify(agent)}`);
  return { file, export: name };
}

function directory(path: string | undefined, name: string): string {
  if (path === undefined) return realpathSync(mkdtempSync(join(tmpdir(), `dari-${name}-`)));
  mkdirSync(path, { recursive: true });
  return realpathSync(path);
}

function requestOf(prompt: string, workspace: string, options: LocalOptions): object {
  const parts: Part[] = [{ type: "text", text: prompt }];
  for (const [name, content] of Object.entries(options.files ?? {})) {
    const path = `/input/${basename(name)}`;
    const local_path = join(workspace, path);
    mkdirSync(dirname(local_path), { recursive: true });
    writeFileSync(local_path, content);
    parts.push({ type: "file", path, local_path });
  }
  const context = {
    sessionId: "sess_local",
    messageId: "msg_local",
    attempt: 1,
    parts,
    metadata: options.metadata ?? {},
    history: options.history ?? [],
    operationKey: "msg_local",
    traceparent: "00-00000000000000000000000000000001-0000000000000001-01",
    answers: options.answers ?? {},
    steps: options.steps ?? [],
  };
  const limits = { ...guestLimits, values: 0 };
  return { prompt, context, workspace: resolve(workspace), sdk: options.sdk ?? "function", limits, maxTurns };
}

function inboxOf({ inbox = [] }: LocalOptions): { id: string; parts: { type: "text"; text: string }[] }[] {
  return inbox.map((text, index) => ({ id: `msg_local_${index + 1}`, parts: [{ type: "text", text }] }));
}

type LocalEnd = Omit<LocalTurn, "events" | "steps" | "workspace">;

function endOf(frame: LocalFrame, workspace: string): LocalEnd {
  const usage = frame["usage"] as Usage | undefined;
  if (frame.t === "ask") {
    const input = { key: String(frame["key"]), schema: frame["schema"] as JsonSchema };
    const prompt = frame["prompt"] as string | undefined;
    return { status: "waiting_for_input", text: "", parts: [], usage, input: { ...input, prompt } };
  }
  if (frame.t === "error") {
    const { code, message, stack } = frame as unknown as { code: string; message: string; stack?: string };
    return { status: "failed", text: "", parts: [], usage, error: { code, message, stack } };
  }
  const read = readParts(frame["parts"], workspace);
  if (!read.ok) return { status: "failed", text: "", parts: [], usage, error: read.failure };
  const text = read.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
  return { status: "completed", text, parts: read.parts, usage };
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

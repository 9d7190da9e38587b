// Runs the agent's entrypoint in a sandbox over the opened workspace. When this returns, nothing of it is alive.

import { join } from "node:path";
import {
  countAttempt,
  recordAgentEvent,
  withPatience,
  type OpenedWorkspace,
  type Turn,
  type TurnPart,
} from "@dari/control";
import { failure, limits, type Failure } from "@dari/domain";
import {
  captureLogs,
  guestCommand,
  runTurn,
  type OutputPart,
  type RunRequest,
  type TurnEnding,
  type Usage,
} from "@dari/harness";
import type { Exceeded, Sandbox } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import type { Stopwatch } from "../stopwatch.ts";
import { logEgress } from "./log-egress.ts";
import { createTextCollector, type TextCollector } from "./collect-text.ts";
import { recordLogsOf, type LogRecorder } from "./record-logs.ts";
import { sendPreviewsOf, type PreviewSender } from "./send-previews.ts";

export type AgentEnding =
  | { readonly kind: "completed"; readonly parts: readonly OutputPart[]; readonly usage: Usage | undefined }
  | { readonly kind: "failed"; readonly failure: Failure }
  /** Cancelled, superseded or given back: the lease's signal says which. `said`: what it had said by then. */
  | { readonly kind: "stopped"; readonly said: readonly OutputPart[] };

export interface AgentRun {
  readonly turn: Turn;
  readonly opened: OpenedWorkspace;
  readonly imageDir: string;
  readonly slotDir: string;
  readonly signal: AbortSignal;
  readonly watch: Stopwatch;
}

export async function runAgent(context: WorkerContext, run: AgentRun): Promise<AgentEnding> {
  if (run.signal.aborted) return { kind: "stopped", said: [] };
  const said = createTextCollector();
  const logs = recordLogsOf(context, run.turn);
  const previews = sendPreviewsOf(context.previews, run.turn);
  try {
    const sandbox = await startSandbox(context, run);
    const captured = captureLogs({
      stdout: sandbox.stdout,
      stderr: sandbox.stderr,
      maxBytes: limits.logBytesPerAttempt,
      onText(stream, text) {
        logs.add(stream, text);
        previews.log(stream, text);
      },
    });
    let ending: TurnEnding;
    try {
      await sandbox.claim();
      ending = await callAgent(context, { ...run, previews, said }, sandbox, () => captured.tail("stderr"));
      await countFailedLoad(context, run, ending);
    } finally {
      run.watch.lap("agent_ms");
      await sandbox.kill();
      run.watch.lap("kill_ms");
    }
    await captured.done;
    const usage = await sandbox.collect();
    return endingOf(ending, usage.exceeded, logs, said);
  } finally {
    // Before the attempt's end is recorded: after it nothing of it is shown.
    previews.flush();
    logs.stop();
    await logs.flush();
  }
}

async function startSandbox(context: WorkerContext, run: AgentRun): Promise<Sandbox> {
  const { turn } = run;
  const runtime = await context.runtimes.resolve(turn.image.runtime.language, turn.image.runtime.version);
  const guest = guestCommand(turn.image.runtime.language, runtime.command);
  return context.driver.prepare({
    argv: guest.argv,
    env: turn.environment.reveal(),
    imageDir: run.imageDir,
    readOnlyPaths: [...guest.readOnlyPaths, ...runtime.readOnlyPaths],
    slotDir: run.slotDir,
    network: { policy: context.settings.egress, onConnection: logEgress(context, turn) },
    limits: {
      memoryBytes: context.settings.turnMemoryBytes,
      processes: context.settings.turnProcesses,
      openFiles: 4_096,
      fileBytes: limits.workspaceFileBytes,
      tmpBytes: 1024 ** 3,
      diskBytes: context.settings.turnDiskBytes,
      diskFiles: limits.workspaceFiles,
    },
  });
}

function callAgent(
  context: WorkerContext,
  run: AgentRun & { readonly previews: PreviewSender; readonly said: TextCollector },
  sandbox: Sandbox,
  stderrTail: () => string,
): Promise<TurnEnding> {
  const { turn, opened } = run;
  let events = 0;
  return runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: requestOf(run, sandbox),
    timeoutMs: turn.manifest.runtime.timeout_seconds * 1_000,
    signal: run.signal,
    async beforeCall() {
      run.watch.lap("start_ms");
      const moved = opened.parts === turn.parts ? undefined : opened.parts;
      const counted = await withPatience(context, () => countAttempt(context.db, turn, moved), run.signal);
      if (!counted) throw new Error("the claim was superseded before the call");
    },
    async onFrame(frame) {
      if (frame.t === "delta") {
        run.said.add(frame.text);
        return run.previews.delta(frame.text);
      }
      events += 1;
      const event = { number: events, name: frame.name, data: frame.data };
      const record = () => recordAgentEvent(context.db, turn, event);
      // What was said before it is shown before it.
      run.previews.flush();
      if (!(await withPatience(context, record, run.signal)))
        throw new Error("the claim was superseded during the call");
      context.notifier.notify("session", turn.sessionId);
    },
    collectEvidence: () => Promise.resolve({ stderrTail: stderrTail() }),
  });
}

/** Code that fails while it is loaded is the agent's, and uses an attempt like any other failure of it. */
async function countFailedLoad(context: WorkerContext, run: AgentRun, ending: TurnEnding): Promise<void> {
  if (ending.kind !== "failed" || ending.failure.code === "internal_error") return;
  // Counted once, whether or not it was counted at the call.
  await withPatience(context, () => countAttempt(context.db, run.turn), run.signal);
}

function requestOf(run: AgentRun, sandbox: Sandbox): RunRequest {
  const { turn, opened } = run;
  const local = (path: string): string => join(sandbox.paths.workspace, path);
  return {
    entry: turn.image.entry,
    imageDir: sandbox.paths.image,
    sdk: turn.manifest.sdk,
    prompt: promptOf(opened.parts),
    workspace: sandbox.paths.workspace,
    context: {
      sessionId: turn.sessionId,
      messageId: turn.messageId,
      attempt: turn.attemptNumber,
      parts: opened.parts.map((part) => (part.type === "text" ? part : { ...part, local_path: local(part.path) })),
      metadata: turn.metadata,
      history: turn.history,
      operationKey: turn.messageId,
    },
  };
}

/** The text parts, in order, one paragraph each. */
function promptOf(parts: readonly TurnPart[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

/** A bound that was hit is why an attempt failed, whatever the agent made of it. */
const codeOf = { memory: "out_of_memory", processes: "too_many_processes", disk: "disk_full" } as const;

function endingOf(
  ending: TurnEnding,
  exceeded: Exceeded | undefined,
  logs: LogRecorder,
  said: TextCollector,
): AgentEnding {
  switch (ending.kind) {
    case "completed":
      return { kind: "completed", parts: ending.parts, usage: ending.usage };
    case "timeout":
      return { kind: "failed", failure: failure("timeout") };
    case "cancelled":
      return { kind: "stopped", said: said.parts() };
    case "failed":
      if (ending.stack !== undefined) logs.add("platform", `${ending.stack}\n`);
      return { kind: "failed", failure: exceeded === undefined ? ending.failure : failure(codeOf[exceeded]) };
  }
}

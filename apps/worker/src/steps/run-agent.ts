// Runs the agent's entrypoint in a sandbox over the opened workspace. When this returns, nothing of it is alive.

import { join } from "node:path";
import { retryThroughOutage } from "@dari/control/context";
import { traceparentOf } from "@dari/control/operations";
import type { OpenedWorkspace } from "@dari/control/storage";
import { countAttempt, recordAgentEvent, type Turn, type TurnPart } from "@dari/control/turns";
import { failure, limits, type Failure } from "@dari/domain";
import {
  captureLogs,
  guestRuns,
  runTurn,
  type Asked,
  type OutputPart,
  type RunRequest,
  type TurnEnding,
  type Usage,
} from "@dari/harness";
import type { Exceeded, Sandbox } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";
import type { Stopwatch } from "../stopwatch.ts";
import type { Rested, Taken } from "@dari/sandbox-pool";
import { createTextCollector, type TextCollector } from "./collect-text.ts";
import { noteUnreachable } from "./note-unreachable.ts";
import { recordLogsOf, type LogRecorder } from "./record-logs.ts";
import { scrubbedStack } from "./scrub-turn.ts";
import { sendPreviewsOf, type PreviewSender } from "./send-previews.ts";
import { startGuest, warmRecipe, type WarmGuest } from "./start-guest.ts";

export type AgentEnding =
  | {
      readonly kind: "completed";
      readonly parts: readonly OutputPart[];
      readonly usage: Usage | undefined;
      /** Connections that were refused or failed. */
      readonly lostConnections: readonly string[];
    }
  | { readonly kind: "failed"; readonly failure: Failure; readonly usage?: Usage }
  | { readonly kind: "suspended"; readonly asked: Asked; readonly usage?: Usage }
  /** Cancelled, superseded or given back: the lease's signal says which. `said`: what it had said by then. */
  | { readonly kind: "stopped"; readonly said: readonly OutputPart[]; readonly usage?: Usage };

export interface AgentRun {
  readonly turn: Turn;
  readonly opened: OpenedWorkspace;
  readonly imageDir: string;
  readonly slotDir: string;
  readonly signal: AbortSignal;
  readonly watch: Stopwatch;
  /** Called where the sandbox may serve the session's next turn; it is the caller's from then on. */
  onRested(rested: Rested): void;
}

/** When it returns nothing of the agent runs: it is dead, or stands still without a way to the turn's files. */
export async function runAgent(context: WorkerContext, run: AgentRun): Promise<AgentEnding> {
  if (run.signal.aborted) return { kind: "stopped", said: [] };
  const { scrubber } = run.turn;
  const logs = recordLogsOf(context, run.turn);
  const previews = sendPreviewsOf(context.previews, run.turn);
  const said = createTextCollector(scrubber.stream(), (text) => previews.delta(text));
  const parts: RunParts = { ...run, said, logs, previews };
  const recipe = context.warm === undefined ? undefined : warmRecipe(context, run.turn);
  try {
    const warm = recipe === undefined ? undefined : await context.warm!.enter(recipe, run.signal);
    let isFit = true;
    try {
      const ended = warm && (await runWarm(context, parts, warm, recipe?.session !== undefined));
      const { ending, exceeded, isLoaded } = ended ?? (await runCold(context, parts));
      isFit = isLoaded && (warm === undefined) === (ended === undefined);
      if (ended?.isResting === true) run.onRested(context.warm!.hold(recipe!, run.turn, warm!));
      said.end();
      return endingOf(scrubbedStack(scrubber, ending), exceeded, logs, said);
    } finally {
      if (recipe !== undefined) context.warm!.left(recipe, { isFit });
    }
  } finally {
    // Before the attempt's end is recorded: after it nothing of it is shown.
    previews.flush();
    logs.stop();
    await logs.flush();
  }
}

interface RunParts extends AgentRun {
  readonly said: TextCollector;
  readonly logs: LogRecorder;
  readonly previews: PreviewSender;
}

interface Ended {
  readonly ending: TurnEnding;
  readonly exceeded: Exceeded | undefined;
  /** False when the agent failed before its own code was called. */
  readonly isLoaded: boolean;
  /** Its sandbox is alive, for the next turn of the session. */
  readonly isResting: boolean;
}

async function runCold(context: WorkerContext, parts: RunParts): Promise<Ended> {
  const sandbox = await startGuest(context, parts);
  const claim = (): Promise<void> => sandbox.claim();
  const guest = { sandbox, isLoaded: false, servesAgain: false, claim, end: () => sandbox.kill() };
  const ended = await runIn(context, parts, guest);
  if (!ended.isLoaded) await countFailedLoad(context, parts, ended.ending);
  return ended;
}

/** Undefined when it failed before the agent was called: what went wrong may be of the waiting, so it starts anew. */
async function runWarm(
  context: WorkerContext,
  parts: RunParts,
  warm: Taken,
  servesSession: boolean,
): Promise<Ended | undefined> {
  const prepared = warm.prepared as WarmGuest;
  const { sandbox, isLoaded } = prepared;
  prepared.give(parts.turn, parts.logs);
  const servesAgain = servesSession && sandbox.rest !== undefined;
  const claim = async (): Promise<void> => {
    // A directory that is there before the sandbox has been set up cannot be taken away from it.
    const runs = !servesAgain || (await guestRuns(sandbox.channel, parts.signal));
    // Nobody waits any more for an agent that loads slowly: the turn is stopped without it.
    if (parts.signal.aborted) return;
    if (!runs) throw new ClaimError("the guest does not run");
    await sandbox.claim(parts.slotDir).catch((cause: unknown) => {
      throw new ClaimError("the sandbox cannot be claimed", { cause });
    });
    parts.watch.lap("claim_ms");
  };
  try {
    const ended = await runIn(context, parts, { sandbox, isLoaded, servesAgain, claim, end: () => warm.end() });
    prepared.isLoaded = ended.isLoaded;
    if (ended.isLoaded) return ended;
  } catch (error) {
    if (!(error instanceof ClaimError)) throw error;
    context.log.error({ err: error.cause, attempt: parts.turn.attemptId }, "warm.claim_failed");
  }
  return undefined;
}

/** The turn's directories could not be given to a sandbox that waited. */
class ClaimError extends Error {
  override readonly name = "ClaimError";
}

interface Guest {
  readonly sandbox: Sandbox;
  /** Its agent is loaded, or being loaded, without the turn's files; else they are there before it is. */
  readonly isLoaded: boolean;
  readonly servesAgain: boolean;
  /** Gives it the turn's files. */
  claim(): Promise<void>;
  /** Nothing of it is alive afterwards. */
  end(): Promise<void>;
}

async function runIn(context: WorkerContext, parts: RunParts, guest: Guest): Promise<Ended> {
  const { sandbox } = guest;
  const captured = captureLogs({
    stdout: sandbox.stdout,
    stderr: sandbox.stderr,
    maxBytes: limits.logBytesPerAttempt,
    scrub: () => parts.turn.scrubber.stream(),
    onText(stream, text) {
      parts.logs.add(stream, text);
      parts.previews.log(stream, text);
    },
  });
  let ending: TurnEnding | undefined;
  let isCalled = false;
  let isResting = false;
  const claimed = guest.claim();
  try {
    // The guest reads what its turn is while the turn's files are mounted; its agent is called when they are there.
    if (guest.isLoaded) claimed.catch(() => {});
    else await claimed;
    const onCall = (): void => void (isCalled = true);
    ending = await callAgent(context, parts, { ...guest, claimed }, onCall, () => captured.tail("stderr"));
  } finally {
    await claimed.catch(() => {});
    parts.watch.lap("agent_ms");
    isResting = guest.servesAgain && ending?.kind === "completed" && (await bringToRest(parts, sandbox, ending.kept));
    if (!isResting) await guest.end();
    parts.watch.lap("kill_ms");
  }
  await (isResting ? captured.leave() : captured.done);
  if (ending.kind === "failed") noteUnreachable(context, parts.turn, parts.logs, captured.tail("stderr"));
  const isLoaded = isCalled || ending.kind !== "failed";
  return { ending, isLoaded, isResting, exceeded: (await sandbox.collect()).exceeded };
}

/** The agent's author is told why its sandbox is ended after all. */
async function bringToRest({ logs }: RunParts, sandbox: Sandbox, kept?: number): Promise<boolean> {
  const why = await sandbox.rest!(kept).catch((error: unknown) => String(error));
  if (why !== undefined) logs.add("platform", `this process does not serve the session's next turn: ${why}\n`);
  return why === undefined;
}

function callAgent(
  context: WorkerContext,
  run: RunParts,
  { sandbox, servesAgain, claimed }: Guest & { readonly claimed: Promise<void> },
  onCall: () => void,
  stderrTail: () => string,
): Promise<TurnEnding> {
  const { turn, opened } = run;
  let events = 0;
  return runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: { ...requestOf(run, sandbox), again: servesAgain },
    timeoutMs: turn.manifest.runtime.timeout_seconds * 1_000,
    signal: run.signal,
    async beforeCall() {
      await claimed;
      run.watch.lap("start_ms");
      const moved = opened.parts === turn.parts ? undefined : opened.parts;
      const counted = await retryThroughOutage(context, () => countAttempt(context.db, turn, moved), run.signal);
      if (!counted) throw new Error("the claim was superseded before the call");
      onCall();
    },
    async onFrame(frame) {
      if (frame.t === "delta") return run.said.add(frame.text);
      events += 1;
      const [name, data] = [turn.scrubber.text(frame.name), turn.scrubber.json(frame.data)];
      const event = { number: events, name, data };
      const record = () => recordAgentEvent(context.db, turn, event);
      // What was said before it is shown before it.
      run.previews.flush();
      if (!(await retryThroughOutage(context, record, run.signal)))
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
  await retryThroughOutage(context, () => countAttempt(context.db, run.turn), run.signal);
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
      traceparent: traceparentOf(turn.messageId, turn.attemptId),
      answers: turn.resume?.answers ?? {},
    },
  };
}

/** The text parts, in order, one paragraph each. */
function promptOf(parts: readonly TurnPart[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

/** A bound that was hit is why an attempt failed, whatever the agent made of it. */
const codeOf = {
  memory: "out_of_memory",
  processes: "too_many_processes",
  disk: "disk_full",
  tmp: "disk_full",
  cpu: "cpu_limit",
} as const;

function endingOf(
  ending: TurnEnding,
  exceeded: Exceeded | undefined,
  logs: LogRecorder,
  said: TextCollector,
): AgentEnding {
  const used = ending.usage === undefined ? {} : { usage: ending.usage };
  switch (ending.kind) {
    case "completed":
      return {
        kind: "completed",
        parts: ending.parts,
        usage: ending.usage,
        lostConnections: logs.lostConnections(),
      };
    case "suspended":
      return ending;
    case "timeout":
      return { kind: "failed", failure: failure("timeout"), ...used };
    case "cancelled":
      return { kind: "stopped", said: said.parts(), ...used };
    case "failed": {
      const { stack } = ending;
      if (stack !== undefined) logs.add("platform", `${stack}\n`);
      const cause = exceeded === undefined ? ending.failure : failure(codeOf[exceeded]);
      return { kind: "failed", failure: cause, ...used };
    }
  }
}

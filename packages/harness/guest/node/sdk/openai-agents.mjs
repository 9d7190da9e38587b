// Runs an `Agent` of @openai/agents with that SDK's runner, with the session's history, streamed.

import { TurnError } from "../errors.mjs";
import { Inbox } from "../inbox.mjs";
import { createOutput } from "../output.mjs";
import { dataUrl, readParts } from "./attachments.mjs";
import { fingerprint, openMemory, unknownEntries } from "./memory.mjs";
import { decide, resumeRun, waitingRun } from "./openai-approvals.mjs";
import { connectServers } from "./openai-mcp.mjs";
import { recordRuns, watchRuns } from "./openai-runs.mjs";
import { steerRun } from "./openai-steering.mjs";
import { loadPackage } from "./resolve-package.mjs";

export async function prepareOpenaiAgent(found, file) {
  const sdk = await loadPackage("@openai/agents", file, found);
  watchRuns(sdk);
  return async (agent, turn) => {
    const output = createOutput(turn);
    const endRecord = recordRuns(turn.activity, output.add);
    const closeServers = await connectServers(agent);
    try {
      return await runAgent(sdk, agent, turn, output);
    } catch (error) {
      throw withAdvice(sdk, error, turn.maxTurns);
    } finally {
      await closeServers();
      endRecord();
    }
  };
}

/** Returns `run`, such that the runs of this SDK that it starts are recorded. */
export async function recordOwnRuns(file, run) {
  const sdk = await loadPackage("@openai/agents", file, "").catch(() => undefined);
  if (typeof sdk?.Runner !== "function") return run;
  watchRuns(sdk);
  return async (agent, turn) => {
    const endRecord = recordRuns(turn.activity);
    try {
      return await run(agent, turn);
    } finally {
      endRecord();
    }
  };
}

async function runAgent(sdk, agent, turn, output) {
  const { context } = turn;
  const memory = openMemory("openai-agents");
  const known = memory.load();
  const waiting = await resumeRun(sdk, agent, known, context);
  const usedBefore = waiting === undefined ? {} : usageOf({ state: waiting });
  const runner = new sdk.Runner();
  const toUserItem = ({ parts }) => toItem({ role: "user", parts }, context);
  if (waiting !== undefined) Inbox.dropEarlier(turn.inbox);
  const steering = steerRun(turn.inbox, toUserItem, waiting && known.waiting.steered);
  const { maxTurns } = turn;
  const options = { stream: true, signal: context.signal, context, maxTurns, callModelInputFilter: steering.filter };
  let input = waiting ?? (await inputOf(known, context));
  for (;;) {
    if (input instanceof sdk.RunState) await decide(input, context);
    const stream = await runner.run(agent, input, options);
    turn.meter(() => usageOf(stream, usedBefore));
    await readStream(stream, context);
    if (!isInterrupted(stream)) {
      const last = [fingerprint(context.parts), ...steering.fingerprints()];
      memory.save({ items: steering.addTo(stream.history), last });
      return { parts: output.toParts(stream.finalOutput), usage: usageOf(stream, usedBefore) };
    }
    memory.save({ ...known, waiting: { ...waitingRun(stream, context), steered: steering.entries() } });
    // Read the question as the attempt with the answer will, so that both are exactly the same.
    input = await resumeRun(sdk, agent, memory.load(), context);
  }
}

/** Names the setting if the run reached its limit. A run that a tool starts has a limit of its own. */
function withAdvice(sdk, error, maxTurns) {
  const isReached = sdk.MaxTurnsExceededError !== undefined && error instanceof sdk.MaxTurnsExceededError;
  if (!isReached || !error.message.includes(`(${maxTurns})`)) return error;
  return new TurnError("agent_error", `${error.name}: ${error.message}; raise run.max_turns in dari.yml`);
}

async function inputOf(known, context) {
  const missed = await Promise.all(unknownEntries(context.history, known?.last).map((one) => toItem(one, context)));
  const asked = await toItem({ role: "user", parts: context.parts }, context);
  return [...(known?.items ?? []), ...missed, asked];
}

const isInterrupted = ({ interruptions }) => interruptions !== undefined && interruptions.length > 0;

/** Its text is shown by `recordRuns`, in order with what is recorded. */
async function readStream(stream, context) {
  for await (const _event of stream);
  await stream.completed;
  if (stream.error) throw stream.error;
  context.signal.throwIfAborted();
}

async function toItem({ role, parts }, context) {
  const read = await readParts(parts, context.workspace);
  if (role === "assistant") {
    const text = read.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
    return { type: "message", role, status: "completed", content: [{ type: "output_text", text }] };
  }
  return { type: "message", role, content: read.map(toContent) };
}

function toContent(part) {
  if (part.type === "text") return { type: "input_text", text: part.text };
  if (part.type === "image") return { type: "input_image", image: dataUrl(part) };
  return { type: "input_file", file: dataUrl(part), filename: part.filename };
}

/** Returns the usage of this attempt. A resumed run also counts the usage `before`. */
function usageOf(stream, before = {}) {
  const usage = stream.runContext?.usage ?? stream.state?.usage ?? stream.state?._context?.usage;
  if (usage === undefined) return undefined;
  const sum = (details, key) => [details ?? []].flat().reduce((total, one) => total + (one?.[key] ?? 0), 0);
  const used = {
    requests: usage.requests,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    total_tokens: usage.totalTokens,
    cached_input_tokens: sum(usage.inputTokensDetails, "cached_tokens"),
    reasoning_tokens: sum(usage.outputTokensDetails, "reasoning_tokens"),
  };
  return Object.fromEntries(Object.entries(used).map(([name, count]) => [name, count - (before[name] ?? 0)]));
}

// Runs an options object of @anthropic-ai/claude-agent-sdk: one session of that SDK per session, resumed turn by turn.

import { existsSync, readdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { TurnError, modelError } from "../errors.mjs";
import { createOutput } from "../output.mjs";
import { readParts } from "./attachments.mjs";
import { recordSession } from "./claude-activity.mjs";
import { openInput } from "./claude-steering.mjs";
import { fingerprint, openMemory, unknownEntries } from "./memory.mjs";
import { loadPackage } from "./resolve-package.mjs";

const documentTypes = ["application/pdf"];
/** The model of messages that the SDK itself creates. */
const synthetic = "<synthetic>";

export async function prepareClaudeOptions(found, file) {
  const sdk = await loadPackage("@anthropic-ai/claude-agent-sdk", file, found);
  return (options, turn) => runOptions(sdk, options, turn);
}

async function runOptions(sdk, options, turn) {
  const { context } = turn;
  const memory = openMemory("claude-agent-sdk");
  const known = memory.load();
  const missed = unknownEntries(context.history, known?.last);
  if (known !== undefined) followWorkspace(known.session);
  const steered = [];
  const read = async ({ parts }) => {
    steered.push(fingerprint(parts));
    return readBlocks(parts, context);
  };
  const input = await openSessionInput(context, { missed, inbox: turn.inbox, read });
  const query = sdk.query({
    prompt: input.messages(),
    options: {
      cwd: context.workspace,
      ...options,
      hooks: input.hooks(options.hooks),
      includePartialMessages: true,
      abortController: abortWith(context.signal),
      ...(known === undefined ? {} : { resume: known.session }),
    },
  });
  const output = createOutput(turn);
  // More than one if subagents end after the main conversation.
  const results = [];
  const answers = countAnswers();
  turn.meter(() => usageOf(results, answers, known?.totals));
  const activity = recordSession(turn.activity, known?.tasks);
  try {
    for await (const message of query) {
      await activity.take(message);
      const text = textDelta(message);
      if (text !== undefined) await output.add(text, activity.ordinal());
      answers.note(message);
      if (message.type !== "result") continue;
      results.push(message);
      await input.takeResult(message);
    }
    context.signal.throwIfAborted();
  } catch (error) {
    activity.fail(error);
    throw error;
  }
  refuseFailure(results.at(-1));
  const { session_id: session } = results.at(-1);
  memory.save({
    session,
    last: [fingerprint(context.parts), ...steered],
    totals: totalsOf(results),
    tasks: activity.tasks(),
  });
  return { parts: output.toParts(answerOf(results)), usage: usageOf(results, answers, known?.totals) };
}

/** Collects what each answer of a model has used so far, for a turn that ends without a result. */
function countAnswers() {
  const usages = new Map();
  /** The current answer of the main conversation, and of each subagent. */
  const current = new Map();
  const add = (id, usage) => {
    const counts = Object.entries(usages.get(id) ?? {});
    const all = { ...usage };
    // A message can repeat the numbers from when its answer began.
    for (const [name, count] of counts) if (typeof count === "number") all[name] = Math.max(count, usage?.[name] ?? 0);
    usages.set(id, all);
  };
  return {
    note({ type, message, event, parent_tool_use_id: parent }) {
      if (type === "assistant" && message.model !== synthetic) add(message.id, message.usage);
      if (type !== "stream_event") return;
      if (event.type === "message_start") current.set(parent, event.message.id);
      if (event.type === "message_start") add(event.message.id, event.message.usage);
      if (event.type === "message_delta" && current.has(parent)) add(current.get(parent), event.usage);
    },
    count: () => usages.size,
    usages: () => [...usages.values()].map((usage) => ({ usage })),
  };
}

/** Returns the last result with an answer: one that reports a subagent may have none. */
function answerOf(results) {
  const said = ({ structured_output: structured, result }) => structured ?? (result === "" ? undefined : result);
  return results.map(said).findLast((answer) => answer !== undefined);
}

/** Returns text of the main conversation as it is written, without the text of subagents. */
function textDelta({ type, parent_tool_use_id: parent, event }) {
  const isText = type === "stream_event" && event.type === "content_block_delta" && event.delta.type === "text_delta";
  return isText && (parent === null || parent === undefined) ? event.delta.text : undefined;
}

function abortWith(signal) {
  const controller = new AbortController();
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return controller;
}

/**
 * Messages of turns that the SDK's session does not contain come first, as text. Messages that wait already become part
 * of the first one.
 */
async function openSessionInput(context, { missed, inbox, read }) {
  const told = missed.map(({ role, parts }) => `${role}: ${parts.map((part) => part.text ?? part.path).join("\n")}`);
  const before = told.length === 0 ? [] : [`<earlier_conversation>\n${told.join("\n\n")}\n</earlier_conversation>`];
  const first = [...before.map((text) => ({ type: "text", text })), ...(await readBlocks(context.parts, context))];
  for (const message of await inbox.take()) first.push(...(await read(message)));
  return openInput(first, inbox, read);
}

async function readBlocks(parts, { workspace }) {
  const read = await readParts(parts, workspace);
  return read.map(toBlock);
}

function toBlock(part) {
  if (part.type === "text") return { type: "text", text: part.text };
  const data = part.bytes.toString("base64");
  const source = { type: "base64", media_type: part.mediaType, data };
  if (part.type === "image") return { type: "image", source };
  if (documentTypes.includes(part.mediaType)) return { type: "document", title: part.filename, source };
  const text = { type: "text", media_type: "text/plain", data: part.bytes.toString("utf8") };
  return { type: "document", title: part.filename, source: text };
}

/**
 * The SDK finds its sessions by the working directory. If that has changed since the last turn, as it does without a
 * sandbox, rename the session's folder.
 */
function followWorkspace(session) {
  const projects = join(process.env.CLAUDE_CONFIG_DIR ?? join(process.env.HOME ?? homedir(), ".claude"), "projects");
  const wanted = join(projects, process.cwd().replaceAll(/[^a-zA-Z0-9]/g, "-"));
  if (existsSync(wanted) || !existsSync(projects)) return;
  const name = readdirSync(projects).find((one) => existsSync(join(projects, one, `${session}.jsonl`)));
  if (name !== undefined) renameSync(join(projects, name), wanted);
}

function refuseFailure(result) {
  if (result === undefined) throw new TurnError("agent_error", "the session ended without a result");
  if (result.subtype === "success" && result.is_error !== true) return;
  const words = [result.errors ?? [], result.result ?? []].flat().join("\n");
  throw modelError(words === "" ? `the session ended with ${result.subtype}` : words);
}

/** Returns the last result's totals of all models, including subagents. */
function totalsOf(results) {
  const { modelUsage, total_cost_usd: cost = 0 } = results.at(-1);
  const models = Object.values(modelUsage ?? {});
  if (models.length === 0) return { ...ofMainLoop(results), cost };
  const sum = (name) => models.reduce((total, one) => total + (one[name] ?? 0), 0);
  const cached = sum("cacheReadInputTokens");
  const input = sum("inputTokens") + cached + sum("cacheCreationInputTokens");
  return { input, output: sum("outputTokens"), cached, cost };
}

function ofMainLoop(results) {
  const sum = (name) => results.reduce((total, { usage }) => total + (usage?.[name] ?? 0), 0);
  const cached = sum("cache_read_input_tokens");
  const input = sum("input_tokens") + cached + sum("cache_creation_input_tokens");
  return { input, output: sum("output_tokens"), cached };
}

/**
 * Returns what this turn has used. In newer versions, a resumed session continues from its totals; older versions start
 * from zero. For a turn without a result, returns what its answers say, without a cost.
 */
function usageOf(results, answers, before) {
  const requests = answers.count();
  if (results.length === 0) {
    const { input, output, cached } = ofMainLoop(answers.usages());
    const counts = { requests, input_tokens: input, output_tokens: output, total_tokens: input + output };
    return { ...counts, cached_input_tokens: cached };
  }
  const totals = totalsOf(results);
  const goesOn = before !== undefined && totals.output >= before.output + ofMainLoop(results).output;
  const used = (name) => totals[name] - (goesOn ? before[name] : 0);
  return {
    requests,
    input_tokens: used("input"),
    output_tokens: used("output"),
    total_tokens: used("input") + used("output"),
    cached_input_tokens: used("cached"),
    cost_usd: used("cost"),
  };
}

// Runs an `Agent` of @openai/agents by that SDK's own runner, with the session's history, streamed.

import { TurnError } from "../errors.mjs";
import { createOutput } from "../output.mjs";
import { dataUrl, readParts } from "./attachments.mjs";
import { fingerprint, openMemory, unknownEntries } from "./memory.mjs";
import { loadPackage } from "./resolve-package.mjs";

export async function prepareOpenaiAgent(found, file) {
  const sdk = await loadPackage("@openai/agents", file, found);
  return (agent, turn) => runAgent(sdk, agent, turn);
}

async function runAgent(sdk, agent, turn) {
  const { context } = turn;
  const memory = openMemory("openai-agents");
  const known = memory.load();
  const missed = await Promise.all(unknownEntries(context.history, known?.last).map((one) => toItem(one, context)));
  const asked = await toItem({ role: "user", parts: context.parts }, context);
  const input = [...(known?.items ?? []), ...missed, asked];
  const stream = await sdk.run(agent, input, { stream: true, signal: context.signal, context });
  const output = createOutput(turn);
  for await (const event of stream) {
    if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta") {
      await output.add(event.data.delta);
    }
  }
  await stream.completed;
  if (stream.error) throw stream.error;
  context.signal.throwIfAborted();
  refuseInterruptions(stream);
  const parts = output.toParts(stream.finalOutput);
  memory.save({ items: stream.history, last: fingerprint(context.parts) });
  return { parts, usage: usageOf(stream) };
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

/** A run that stops for somebody's approval has no answer, and nobody can give the approval here. */
function refuseInterruptions({ interruptions }) {
  if (interruptions === undefined || interruptions.length === 0) return;
  const names = interruptions.map((one) => one.name ?? one.rawItem?.name ?? "a tool").join(", ");
  const message = `the run waits for the approval of ${names}; tools of an exported Agent must not need approval`;
  throw new TurnError("agent_error", message);
}

function usageOf(stream) {
  const usage = stream.runContext?.usage ?? stream.state?.usage ?? stream.state?._context?.usage;
  if (usage === undefined) return undefined;
  const sum = (details, key) =>
    [details ?? []].flat().reduce((total, one) => total + (one?.[key] ?? 0), 0);
  return {
    requests: usage.requests,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    total_tokens: usage.totalTokens,
    cached_input_tokens: sum(usage.inputTokensDetails, "cached_tokens"),
    reasoning_tokens: sum(usage.outputTokensDetails, "reasoning_tokens"),
  };
}

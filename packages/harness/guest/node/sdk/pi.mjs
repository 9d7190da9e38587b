// Runs an options object of pi: one pi session per session, stored in the session's state.

import { basename, join } from "node:path";
import { modelError } from "../errors.mjs";
import { createOutput } from "../output.mjs";
import { readParts } from "./attachments.mjs";
import { fingerprint, openMemory, unknownEntries } from "./memory.mjs";
import { recordSession } from "./pi-activity.mjs";
import { findPackageDir, loadPackage } from "./resolve-package.mjs";

/** Versions up to 0.73 have the other name. */
const names = ["@earendil-works/pi-coding-agent", "@mariozechner/pi-coding-agent"];

export async function preparePiOptions(found, file) {
  const installed = names.find((name) => findPackageDir(name, file) !== undefined);
  const sdk = await loadPackage(installed ?? names[0], file, found);
  return (options, turn) => runOptions(sdk, options, turn);
}

async function runOptions(sdk, options, turn) {
  const { context } = turn;
  const memory = openMemory("pi");
  const known = memory.load();
  const sessions = join(memory.dir, "sessions");
  const sessionManager =
    known === undefined
      ? sdk.SessionManager.create(context.workspace, sessions)
      : sdk.SessionManager.open(join(sessions, known.file), sessions, context.workspace);
  const { session } = await sdk.createAgentSession({ cwd: context.workspace, ...options, sessionManager });
  const output = createOutput(turn);
  let shown = Promise.resolve();
  const activity = recordSession(turn.activity);
  session.subscribe((event) => {
    activity.take(event);
    const { type, assistantMessageEvent: said } = event;
    if (type === "message_update" && said.type === "text_delta") {
      const ordinal = activity.ordinal();
      shown = shown.then(() => output.add(said.delta, ordinal));
    }
    // Too much text is detected when it is awaited.
    shown.catch(() => {});
  });
  const stop = () => void session.abort().catch(() => {});
  context.signal.addEventListener("abort", stop, { once: true });
  const before = session.messages.length;
  const answers = () => session.messages.slice(before).filter((message) => message.role === "assistant");
  turn.meter(() => usageOf(answers()));
  const steered = steerSession(session, turn);
  const { text, images } = await promptOf(context, unknownEntries(context.history, known?.last));
  await session.prompt(text, { images });
  await shown;
  context.signal.throwIfAborted();
  const said = answers();
  const last = said.at(-1);
  if (last === undefined || last.stopReason === "error" || last.stopReason === "aborted") {
    throw modelError(`pi: ${last?.errorMessage ?? "the model gave no answer"}`);
  }
  memory.save({ file: basename(session.sessionFile), last: [fingerprint(context.parts), ...steered] });
  return { parts: output.toParts(textOf(last)), usage: usageOf(said) };
}

/**
 * Hands over messages that steer the turn: before its first request, and after each answer, when all results of its
 * tools are there. Returns the fingerprints of these messages.
 */
function steerSession(session, { context, inbox }) {
  const steered = [];
  if (typeof session.agent?.subscribe !== "function") return steered;
  // All that wait are handed over at the same place.
  session.agent.steeringMode = "all";
  session.agent.subscribe(async ({ type, message }) => {
    const isFailed = message?.stopReason === "error" || message?.stopReason === "aborted";
    if ((type !== "agent_start" && type !== "turn_end") || isFailed) return;
    for (const { parts } of await inbox.take()) {
      steered.push(fingerprint(parts));
      const { text, images } = await promptOf({ ...context, parts }, []);
      await session.steer(text, images);
    }
  });
  return steered;
}

/** Returns images in pi's form; text files as its own command line shows them to a model, other files by their path. */
async function promptOf(context, missed) {
  const told = missed.map(({ role, parts }) => `${role}: ${parts.map((part) => part.text ?? part.path).join("\n")}`);
  const texts = told.length === 0 ? [] : [`<earlier_conversation>\n${told.join("\n\n")}\n</earlier_conversation>`];
  const images = [];
  for (const part of await readParts(context.parts, context.workspace)) {
    if (part.type === "text") texts.push(part.text);
    else if (part.type === "image") {
      images.push({ type: "image", data: part.bytes.toString("base64"), mimeType: part.mediaType });
    } else texts.push(fileText(part));
  }
  return { text: texts.join("\n\n"), images };
}

function fileText({ path, bytes }) {
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(bytes) && !text.includes("\0");
  return isText ? `<file name="${path}">\n${text}\n</file>` : `<file name="${path}"></file>`;
}

const textOf = ({ content }) => content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");

function usageOf(said) {
  const sum = (pick) => said.reduce((total, { usage = {} }) => total + (pick(usage) ?? 0), 0);
  const cached = sum((usage) => usage.cacheRead);
  const input = sum((usage) => usage.input) + cached + sum((usage) => usage.cacheWrite);
  const output = sum((usage) => usage.output);
  return {
    requests: said.length,
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    cached_input_tokens: cached,
    cost_usd: sum((usage) => usage.cost?.total),
  };
}

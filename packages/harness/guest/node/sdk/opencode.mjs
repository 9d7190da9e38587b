// Runs a plain object `{name, instructions, …}` as an agent of the OpenCode server, with that server's SDK. One
// OpenCode session per session; the server stores it in the session's HOME.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { TurnError, modelError } from "../errors.mjs";
import { createOutput } from "../output.mjs";
import { dataUrl, readParts } from "./attachments.mjs";
import { fetchLoopback } from "./loopback-fetch.mjs";
import { fingerprint, openMemory, unknownEntries } from "./memory.mjs";
import { recordSession } from "./opencode-activity.mjs";
import { takeServer } from "./opencode-server.mjs";
import { usageSince } from "./opencode-usage.mjs";
import { findPackageDir, loadPackage } from "./resolve-package.mjs";

/** Keys of the object for the server; all others are the agent's. */
const serverKeys = ["provider", "mcp", "plugin", "small_model", "enabled_providers", "disabled_providers"];
/** No person can be asked, so what is not allowed is denied. */
const unattended = { external_directory: "deny", doom_loop: "deny", question: "deny" };

export async function prepareOpencode(found, file) {
  const sdk = await loadPackage("@opencode-ai/sdk", file, found);
  const binDir = findBinary(file);
  if (binDir === undefined) {
    const advice = 'add "opencode-ai" to the dependencies of package.json';
    throw new TurnError("unsupported_export", `${found}, which needs the OpenCode server; ${advice}`);
  }
  return (agent, turn) => runAgent(sdk, binDir, agent, turn);
}

/**
 * Finds the server's program in npm's platform package: opencode-ai's own link is made by an install script, which does
 * not run.
 */
function findBinary(file) {
  const platform = `opencode-${process.platform}-${process.arch}`;
  const dirs = [platform, `${platform}-baseline`, `${platform}-musl`].map((name) => findPackageDir(name, file));
  return dirs.map((dir) => dir && join(dir, "bin")).find((dir) => dir && existsSync(join(dir, "opencode")));
}

async function runAgent(sdk, binDir, agent, turn) {
  checkAgent(agent);
  const { context } = turn;
  const memory = openMemory("opencode");
  const known = memory.load();
  process.env.PATH = binDir + delimiter + (process.env.PATH ?? "");
  // What can be downloaded again is not saved with the session.
  process.env.XDG_CACHE_HOME ??= join(tmpdir(), "opencode-cache");
  process.env.npm_config_cache ??= join(tmpdir(), "npm-cache");
  process.env.OPENCODE_DISABLE_AUTOUPDATE ??= "1";
  const server = await takeServer(binDir, configOf(agent), { signal: context.signal, mayKeep: turn.again });
  let isDone = false;
  let result;
  let session = known?.session;
  let activity;
  const client = sdk.createOpencodeClient({ baseUrl: server.url, fetch: fetchLoopback });
  const query = { directory: context.workspace };
  const start = Date.now();
  const usage = () => usageSince(start, { client, query, session });
  try {
    session ??= (await must(client.session.create({ query, body: {} }))).id;
    const output = createOutput(turn);
    const servers = Object.keys(agent.mcp ?? {});
    activity = recordSession(turn.activity, { session, servers, since: start });
    const previews = await previewText(client, query, session, { output, activity });
    const parts = await partsOf(context, unknownEntries(context.history, known?.last));
    const abort = () => void client.session.abort({ path: { id: session }, query }).catch(() => {});
    context.signal.addEventListener("abort", abort, { once: true });
    const answer = await must(
      client.session.prompt({ path: { id: session }, query, body: { agent: agent.name, parts } }),
    );
    context.signal.throwIfAborted();
    const isWhole = await previews.end();
    if (!isWhole) activity.complete(await must(client.session.messages({ path: { id: session }, query })));
    if (answer.info.error !== undefined) throw modelError(wordsOf(answer.info.error));
    memory.save({ session, last: fingerprint(context.parts) });
    result = { parts: output.toParts(textOf(answer.parts)), usage: await usage() };
    isDone = true;
  } catch (error) {
    activity?.fail(error);
    // The server ends below, and only it knows what the turn has used so far.
    const used = session === undefined ? undefined : await Promise.race([usage().catch(() => {}), silence()]);
    turn.meter(() => used);
    throw error;
  } finally {
    result = { ...result, kept: await server.leave(isDone) };
  }
  return result;
}

function checkAgent({ name, instructions }) {
  if (typeof name === "string" && name !== "" && typeof instructions === "string") return;
  throw new TurnError("unsupported_export", "an OpenCode agent needs the texts `name` and `instructions`");
}

function configOf({ name, instructions, permission, ...others }) {
  const ofServer = Object.fromEntries(Object.entries(others).filter(([key]) => serverKeys.includes(key)));
  const ofAgent = Object.fromEntries(Object.entries(others).filter(([key]) => !serverKeys.includes(key)));
  return {
    share: "disabled",
    autoupdate: false,
    ...ofServer,
    ...(others.model === undefined ? {} : { model: others.model }),
    permission: { ...unattended, ...permission },
    agent: { [name]: { mode: "primary", ...ofAgent, prompt: instructions } },
  };
}

/** Sends the session's text from the server's events as previews, and records what the session does. */
async function previewText(client, query, session, { output, activity }) {
  const controller = new AbortController();
  const { stream } = await client.event.subscribe({ query, signal: controller.signal });
  const known = new Map();
  const show = async ({ type, messageID }, delta) => {
    if (type === "text") await output.add(delta, activity.ordinalOf(messageID));
    else if (type === "reasoning") await activity.showReasoning(messageID, delta);
  };
  const take = async (event) => {
    activity.take(event);
    const { type, properties = {} } = event;
    const { part, field, delta } = properties;
    if (type === "message.part.updated" && part.sessionID === session) {
      known.set(part.id, part);
      if (delta !== undefined) await show(part, delta);
    }
    const isDelta = type === "message.part.delta" && properties.sessionID === session && field === "text";
    if (isDelta) await show(known.get(properties.partID) ?? {}, delta);
    return type === "session.idle" && properties.sessionID === session;
  };
  const done = (async () => {
    for await (const event of stream) if (await take(event)) return true;
    return false;
  })();
  // A broken stream loses previews, never the answer. Too much text is also detected there.
  done.catch(() => {});
  return {
    /** Resolves when all events are read, or the server is silent. Returns whether all were read. */
    async end() {
      const isWhole = await Promise.race([done.catch(() => false), silence().then(() => false)]);
      controller.abort();
      return isWhole;
    },
  };
}

/** Resolves after a second, in which a working server would have answered. */
const silence = () => new Promise((resolve) => setTimeout(resolve, 1_000).unref());

async function partsOf(context, missed) {
  const told = missed.map(({ role, parts }) => `${role}: ${parts.map((part) => part.text ?? part.path).join("\n")}`);
  const before = told.length === 0 ? [] : [`<earlier_conversation>\n${told.join("\n\n")}\n</earlier_conversation>`];
  const read = await readParts(context.parts, context.workspace);
  return [...before.map((text) => ({ type: "text", text })), ...read.map(toPart)];
}

function toPart(part) {
  if (part.type === "text") return { type: "text", text: part.text };
  return { type: "file", mime: part.mediaType, filename: part.filename, url: dataUrl(part) };
}

/** Returns the data of the server's answer. Throws `agent_error` with its message. */
async function must(call) {
  const { data, error } = await call;
  if (error !== undefined || data === undefined) throw new TurnError("agent_error", wordsOf(error));
  return data;
}

const wordsOf = (error) =>
  `OpenCode: ${error?.data?.message ?? error?.message ?? JSON.stringify(error) ?? "the server gave no answer"}`;

const textOf = (parts) =>
  parts.flatMap((part) => (part.type === "text" && part.synthetic !== true ? [part.text] : [])).join("\n");

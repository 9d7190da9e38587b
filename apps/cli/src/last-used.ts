// Stores the last session and the last agent, per platform and organization. `-` and `@last` mean them, or the last
// session's newest message.

import type { Command } from "commander";
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { configDirectory, type Environment } from "./config.ts";
import { createContext, type Context, type Io } from "./context.ts";
import { invalid } from "./exit.ts";

export interface LastUsed {
  readonly session?: string;
  readonly agent?: string;
}

interface State {
  readonly version: 1;
  /** By address and organization: `http://… org_…`. */
  readonly last: Readonly<Record<string, LastUsed>>;
  /** The organization of each key, by the key's digest: keys of one organization share what was used last. */
  readonly organizations: Readonly<Record<string, string>>;
}

const empty: State = { version: 1, last: {}, organizations: {} };
/** Older entries are dropped. */
const entriesMax = 200;

/** Returns whether an argument means the last session or agent. */
export function isLast(text: unknown): boolean {
  return text === "-" || text === "@last";
}

/** Stores what a command has used. Failures are ignored: the command itself has succeeded. */
export async function rememberLast(context: Context, used: LastUsed): Promise<void> {
  try {
    const state = await readState(context.io.environment);
    const { place, digest, organization } = await findPlace(context, state);
    const next: State = {
      version: 1,
      last: newest({ ...state.last, [place]: { ...state.last[place], ...used } }, place),
      organizations: newest({ ...state.organizations, [digest]: organization }, digest),
    };
    await writeState(context.io.environment, next);
  } catch {
    // Without a writable directory, `-` is not available.
  }
}

/** Returns what was used last in the organization of this connection. @throws what reading the organization throws */
export async function readLast(context: Context): Promise<LastUsed> {
  const state = await readState(context.io.environment);
  if (Object.keys(state.last).length === 0) return {};
  const { place } = await findPlace(context, state);
  return state.last[place] ?? {};
}

type Noun = "session" | "agent" | "message";

/**
 * Replaces `-` and `@last` in the arguments and options of a command that is about to run. The last message is the
 * newest one of the session that the command names, or else of the last session.
 */
export async function resolveLast(io: Io, command: Command): Promise<void> {
  const context = createContext(io, command);
  let last: Promise<LastUsed> | undefined;
  let named: string | undefined;
  const find = async (noun: Noun): Promise<string> => {
    if (noun === "message") return findNewestMessage(context, named ?? (await find("session")));
    const { [noun]: id } = await (last ??= readLast(context));
    if (id !== undefined) return id;
    const { apiUrl } = await context.connection();
    const advice = noun === "session" ? "`dari session create` starts one" : "`dari agents list` shows all";
    throw invalid(`no ${noun} was used at ${apiUrl} yet; ${advice}`);
  };
  for (const [index, argument] of command.registeredArguments.entries()) {
    const noun = nounOf(argument.name());
    if (noun !== undefined && isLast(command.processedArgs[index])) command.processedArgs[index] = await find(noun);
    if (noun === "session") named = command.processedArgs[index] as string | undefined;
  }
  for (const [option, noun] of [
    ["agentId", "agent"],
    ["agent", "agent"],
    ["sessionId", "session"],
  ] as const) {
    if (isLast(command.getOptionValue(option))) command.setOptionValue(option, await find(noun));
  }
}

async function findNewestMessage({ client, signal }: Context, sessionId: string): Promise<string> {
  const { last_message_id: id } = await (await client()).getSession(sessionId, { signal });
  if (id === null) throw invalid(`session ${sessionId} has no message; \`dari session send\` sends one`);
  return id;
}

function nounOf(argument: string): Noun | undefined {
  if (argument === "agent" || argument === "message") return argument;
  return argument === "session" || argument.endsWith("-or-session") ? "session" : undefined;
}

async function findPlace(context: Context, state: State) {
  const { apiUrl, apiKey = "" } = await context.connection();
  const digest = createHash("sha256").update(`${apiUrl} ${apiKey}`).digest("hex").slice(0, 32);
  const organization = state.organizations[digest] ?? (await findOrganization(context));
  return { place: `${apiUrl} ${organization}`, digest, organization };
}

async function findOrganization({ client, signal }: Context): Promise<string> {
  const { organization } = await (await client()).getMe({ signal });
  return organization.id;
}

/** Returns the newest entries, with `last` as the newest. */
function newest<Value>(entries: Readonly<Record<string, Value>>, last: string): Record<string, Value> {
  const { [last]: value, ...others } = entries;
  const kept = Object.entries(others).slice(1 - entriesMax);
  return { ...Object.fromEntries(kept), ...(value === undefined ? {} : { [last]: value }) };
}

function statePath(environment: Environment): string {
  return join(configDirectory(environment), "last.json");
}

/** An unreadable file counts as empty. */
async function readState(environment: Environment): Promise<State> {
  try {
    const state = JSON.parse(await readFile(statePath(environment), "utf8")) as Partial<State>;
    return state.version === 1 ? { ...empty, ...state } : empty;
  } catch {
    return empty;
  }
}

async function writeState(environment: Environment, state: State): Promise<void> {
  const path = statePath(environment);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

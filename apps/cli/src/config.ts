// Finds the platform's address and key: in options, then in the environment, then in what was saved, then from the
// platform that the command was installed from, then from a platform that runs in this directory. No other file reads
// the environment.

import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { invalid } from "./exit.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Connection {
  readonly apiUrl: string;
  readonly apiKey: string | undefined;
}

export interface ConnectionOptions {
  readonly apiUrl?: string;
  readonly apiKey?: string;
}

const defaultApiUrl = "http://127.0.0.1:4870";

export function processEnvironment(): Environment {
  return process.env;
}

/**
 * Finds the connection. A key that was saved for one address is never sent to another. A key without an address is for
 * the saved one.
 * @throws CliError (exit code 2) for an unusable address or file.
 */
export async function findConnection(options: ConnectionOptions, environment: Environment): Promise<Connection> {
  const apiUrl = options.apiUrl ?? nonEmpty(environment["DARI_API_URL"]);
  const apiKey = options.apiKey ?? nonEmpty(environment["DARI_API_KEY"]);
  const wanted = apiUrl === undefined ? undefined : normalizeApiUrl(apiUrl);
  if (apiKey !== undefined && wanted !== undefined) return { apiUrl: wanted, apiKey };
  const installed = await readInstalledFrom(environment);
  for (const path of connectionFiles(environment, installed?.connectionFile)) {
    const found = await readConnectionFile(path, path === environment["DARI_CONNECTION_FILE"]);
    if (found === undefined || (wanted !== undefined && wanted !== found.apiUrl)) continue;
    // A platform that stores its data in this directory has a loopback address. Another address is not to be trusted.
    if (path === localConnectionFile(environment) && !isLoopback(found.apiUrl)) continue;
    return { apiUrl: found.apiUrl, apiKey: apiKey ?? found.apiKey };
  }
  return { apiUrl: wanted ?? installed?.apiUrl ?? defaultApiUrl, apiKey };
}

/** Saves a connection, readable only by its owner. Returns the file's path. */
export async function saveConnection(connection: Connection, environment: Environment): Promise<string> {
  const directory = configDirectory(environment);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, "connection.json");
  const draft = `${path}.${process.pid}`;
  const content = { api_url: connection.apiUrl, api_key: connection.apiKey };
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, path);
  return path;
}

/** Deletes what was saved for this address. Returns the file's path; undefined if nothing was saved. */
export async function forgetConnection(apiUrl: string, environment: Environment): Promise<string | undefined> {
  const path = join(configDirectory(environment), "connection.json");
  const saved = await readConnectionFile(path, false);
  if (saved?.apiUrl !== apiUrl) return undefined;
  await rm(path, { force: true });
  return path;
}

/** Returns the address without trailing slashes, as agents are stored under it. */
export function normalizeApiUrl(text: string): string {
  if (!URL.canParse(text.trim()) || !["http:", "https:"].includes(new URL(text.trim()).protocol)) {
    throw invalid(`the API address must start with http:// or https://, not ${JSON.stringify(text)}`);
  }
  return text.trim().replace(/\/+$/, "");
}

function connectionFiles(environment: Environment, ofInstalled: string | undefined): string[] {
  const named = nonEmpty(environment["DARI_CONNECTION_FILE"]);
  if (named !== undefined) return [named];
  // The user's saved connection comes first, because this directory can be someone else's repository.
  const own = [join(configDirectory(environment), "connection.json"), ofInstalled ?? ""];
  return [...own, localConnectionFile(environment)].filter((path) => path !== "");
}

interface InstalledFrom {
  readonly apiUrl: string;
  /** Where that platform saves its connection, if it runs on this machine. */
  readonly connectionFile: string | undefined;
}

/** Reads what `install.sh` wrote: the platform that the command was installed from. */
async function readInstalledFrom(environment: Environment): Promise<InstalledFrom | undefined> {
  const path = join(configDirectory(environment), "platform.json");
  const content = parseObject(await readFile(path, "utf8").catch(() => ""));
  const { api_url: apiUrl, connection_file: file } = content ?? {};
  if (typeof apiUrl !== "string") return undefined;
  return { apiUrl: normalizeApiUrl(apiUrl), connectionFile: typeof file === "string" ? file : undefined };
}

/** Returns where a platform saves its connection that was started in this directory, or with this DARI_DATA_DIR. */
function localConnectionFile(environment: Environment): string {
  return join(nonEmpty(environment["DARI_DATA_DIR"]) ?? ".dari-data", "connection.json");
}

function isLoopback(apiUrl: string): boolean {
  return ["127.0.0.1", "[::1]", "localhost"].includes(new URL(apiUrl).hostname);
}

/** Returns the directory of the command's own files. */
export function configDirectory(environment: Environment): string {
  const own = nonEmpty(environment["DARI_CONFIG_DIR"]);
  if (own !== undefined) return own;
  const home = nonEmpty(environment["HOME"]) ?? homedir();
  return join(nonEmpty(environment["XDG_CONFIG_HOME"]) ?? join(home, ".config"), "dari");
}

async function readConnectionFile(path: string, isRequired: boolean): Promise<Connection | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isRequired) throw invalid(`cannot read DARI_CONNECTION_FILE: ${error instanceof Error ? error.message : ""}`);
    return undefined;
  }
  const content = parseObject(text);
  const { api_url: apiUrl, api_key: apiKey } = content ?? {};
  if (typeof apiUrl !== "string" || typeof apiKey !== "string") {
    throw invalid(`${path} is not a connection file: it needs "api_url" and "api_key"`);
  }
  return { apiUrl: normalizeApiUrl(apiUrl), apiKey };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed === "" ? undefined : trimmed;
}

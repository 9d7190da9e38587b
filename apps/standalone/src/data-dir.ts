// The data directory: which process uses it, and the files that outlive a run.

import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { Redacted } from "@dari/domain";
import { removeOwnerFile, takeOwnerFile } from "@dari/embedded";
import { StartError } from "@dari/runtime";

export interface Connection {
  readonly api_url: string;
  readonly api_key: string;
  readonly console_url: string;
}

const connectionName = "connection.json";
const ownerName = "platform.json";

/** Another running platform uses this directory. */
export class DataDirInUseError extends StartError {
  override readonly name = "DataDirInUseError";
}

/** Takes the directory for this process, also from a dead one. Returns the function that releases it. */
export async function lockDataDir(dir: string): Promise<() => Promise<void>> {
  // Only a directory created here is closed to others; an existing one may be shared on purpose.
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(dir, 0o700);
  const file = path.join(dir, ownerName);
  const owner = takeOwnerFile(file);
  if (owner !== undefined) {
    throw new DataDirInUseError(
      `a platform (process ${owner.pid}) runs on ${dir} already; stop it, or choose another directory by DARI_DATA_DIR`,
    );
  }
  return () => {
    removeOwnerFile(file);
    return Promise.resolve();
  };
}

/** Returns where the platform of this data directory saves its connection. */
export function connectionFileOf(dir: string): string {
  return path.join(dir, connectionName);
}

export async function readConnection(dir: string): Promise<Connection | undefined> {
  try {
    return JSON.parse(await readFile(connectionFileOf(dir), "utf8")) as Connection;
  } catch {
    return undefined;
  }
}

/** Writes the file atomically, readable by its owner only. */
export async function writeConnection(dir: string, connection: Connection): Promise<string> {
  const file = connectionFileOf(dir);
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return file;
}

/** Returns the key that encrypts credentials: from the environment, or created once and kept in the data directory. */
export async function readOrCreateMasterKey(dir: string, given: string | undefined): Promise<Redacted> {
  if (given !== undefined && given.trim() !== "") return new Redacted(given.trim());
  const file = path.join(dir, "master.key");
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flush: true });
  try {
    // Linked when complete: a half-written key would lose every stored credential.
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return new Redacted((await readFile(file, "utf8")).trim());
}

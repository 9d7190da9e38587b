// The guest of Node agents, bundled into one script in the worker's directory. Each start of the worker writes it again
// without reading the old one. A turn uses it only if it is exactly the file that was written.

import { lstatSync, type BigIntStats } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

export interface GuestScript {
  /** Returns the absolute path, or undefined if the guest must run from its modules. */
  path(): string | undefined;
}

/** For guests that always run from their modules. */
export const noGuestScript: GuestScript = { path: () => undefined };

/**
 * Writes the script to `dir`, which is emptied. If that fails, the log says why and guests run from their modules.
 * Never rejects.
 */
export async function openGuestScript(o: {
  dir: string;
  bundle: () => Promise<string>;
  log: { warn(fields: object, event: string): void };
}): Promise<GuestScript> {
  const file = join(resolve(o.dir), "main.cjs");
  let written: string;
  try {
    const text = await o.bundle();
    await rm(o.dir, { recursive: true, force: true });
    await mkdir(o.dir, { recursive: true, mode: 0o755 });
    written = await write(file, text);
  } catch (error) {
    o.log.warn({ reason: (error as Error).message }, "guest.not_bundled");
    return noGuestScript;
  }
  let isUnchanged = true;
  return {
    path() {
      if (isUnchanged && identify(file) !== written) {
        isUnchanged = false;
        o.log.warn({ file }, "guest.script_changed");
      }
      return isUnchanged ? file : undefined;
    },
  };
}

/** Writes a new file, completely or not at all, and returns its identity. */
async function write(file: string, text: string): Promise<string> {
  const partial = `${file}.partial`;
  const handle = await open(partial, "wx", 0o444);
  try {
    await handle.writeFile(text);
    await handle.chmod(0o444);
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  const found = identify(file);
  if (found === undefined) throw new Error(`${file} was removed while it was written`);
  return found;
}

/** Returns which file it is and when it last changed. Programs cannot set that time. */
function identify(file: string): string | undefined {
  const found: BigIntStats | undefined = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.mode, found.nlink, found.size, found.ctimeNs].join(" ");
}

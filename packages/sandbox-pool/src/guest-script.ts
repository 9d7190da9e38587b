// The guest of Node agents as one script in the worker's directory, made anew at each start: what lies there from
// before is not read. A turn runs it only while it is the very file that was written.

import { lstatSync, type BigIntStats } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

export interface GuestScript {
  /** Absolute path; undefined: the guest's modules are to be used. */
  path(): string | undefined;
}

/** Runs the guest's modules. */
export const noGuestScript: GuestScript = { path: () => undefined };

/**
 * Never rejects: where the script cannot be made or written, the log says why and the guest's modules are used.
 * @param o.dir is emptied
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
  let isFit = true;
  return {
    path() {
      if (isFit && identify(file) !== written) {
        isFit = false;
        o.log.warn({ file }, "guest.script_changed");
      }
      return isFit ? file : undefined;
    },
  };
}

/** Whole or not at all, and into a file that nobody has made before. */
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
  if (found === undefined) throw new Error(`${file} was taken away while it was written`);
  return found;
}

/** Which file it is and when anything of it was changed last, a time that programs cannot set. */
function identify(file: string): string | undefined {
  const found: BigIntStats | undefined = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.mode, found.nlink, found.size, found.ctimeNs].join(" ");
}

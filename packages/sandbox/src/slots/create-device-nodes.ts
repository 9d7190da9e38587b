// Device nodes for sandboxes of a root worker. For the host, a program in such a sandbox is root too, and could change
// the mode of the host's own nodes.

import { closeSync, lstatSync, openSync } from "node:fs";
import { chmod, chown, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, exitsSuccessfully } from "../launch/find-programs.ts";

/** The devices in each sandbox's /dev, with their numbers. */
const devices = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] } as const;
/** The user `nobody`, outside and inside. */
const nobody = 65_534;
const readWriteForAll = 0o666;

export const devicePaths: readonly string[] = Object.keys(devices).map((name) => `/dev/${name}`);

/**
 * Returns a directory of nodes, created once per machine. Returns undefined if nodes cannot be created or used on the
 * file systems that are tried.
 */
export async function openDeviceNodes(): Promise<string | undefined> {
  const mknod = await findProgram("mknod");
  if (mknod === undefined) return undefined;
  // Many file systems for temporary files are mounted without devices.
  for (const place of [tmpdir(), "/dev"]) {
    const dir = join(place, "sandbox-devices-0");
    if (areUsable(dir) || (await makeNodes(mknod, dir))) return dir;
  }
  return undefined;
}

async function makeNodes(mknod: string, dir: string): Promise<boolean> {
  const fresh = await mkdtemp(`${dir}-`).catch(() => undefined);
  if (fresh === undefined) return false;
  try {
    for (const [name, numbers] of Object.entries(devices)) {
      const path = join(fresh, name);
      if (!(await exitsSuccessfully([mknod, path, "c", ...numbers.map(String)]))) return false;
      await chown(path, nobody, nobody);
      await chmod(path, readWriteForAll);
    }
    if (!areUsable(fresh)) return false;
    // Remove unusable nodes. Keep usable nodes that another process has created in the meantime.
    if (!areUsable(dir)) await rm(dir, { recursive: true, force: true });
    await rename(fresh, dir).catch(() => {});
    return areUsable(dir);
  } catch {
    return false;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Returns whether the nodes exist, belong to the user `nobody`, and work on this file system. */
function areUsable(dir: string): boolean {
  try {
    const { uid, mode } = lstatSync(dir);
    if (uid !== 0 || (mode & 0o077) !== 0) return false;
    closeSync(openSync(join(dir, "null"), "r+"));
    return Object.entries(devices).every(([name, [major, minor]]) => {
      const node = lstatSync(join(dir, name));
      const isDevice = node.isCharacterDevice() && node.rdev === major * 256 + minor;
      return isDevice && node.uid === nobody && (node.mode & 0o7777) === readWriteForAll;
    });
  } catch {
    return false;
  }
}

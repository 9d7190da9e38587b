// Slots of preloaded sandboxes: what is mounted into such a slot appears in the running sandbox.

import { once } from "node:events";
import { constants, fstatSync } from "node:fs";
import { chown, mkdir, open, opendir, readFile, realpath, rmdir, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { openMounter, removeTree, type Mounter } from "@dari/native";
import { findProgram, tryTimeoutMs } from "../launch/find-programs.ts";
import type { FolderMaker, Sandbox, SandboxDriver, SandboxExit, SlotMounts } from "../types.ts";
import { withTimeout } from "../launch/with-timeout.ts";

const folders = ["workspace", "state"] as const;

/**
 * Opens slots in `dir`, which is created if missing and is a mount until `close`. Tests them with a sandbox of
 * `driver`.
 * @throws with the reason if this process cannot mount, or mounts do not appear in the sandbox
 */
export async function openSlotMounts(dir: string, driver: SandboxDriver): Promise<SlotMounts> {
  const mounts = await openMounts(dir);
  try {
    await tryOut(mounts, driver);
  } catch (error) {
    await mounts.close();
    throw error;
  }
  return mounts;
}

/** Tests whether a mount appears in a running sandbox, which depends on the kernel, the driver and its runtime. */
async function tryOut(mounts: SlotMounts, driver: SandboxDriver): Promise<void> {
  const [turnDir, slotDir] = await Promise.all([mounts.make("probe-turn"), mounts.make("probe")]);
  try {
    await writeFile(join(turnDir, "workspace", "arrived"), "");
    const script = "echo up; read -r go <&3; test -e /workspace/arrived && ! test -e /state/arrived";
    const argv = [(await findProgram("sh")) ?? "/bin/sh", "-c", script];
    const spec = { argv, env: {}, imageDir: turnDir, readOnlyPaths: [], network: "none", limits: {} } as const;
    const sandbox = await driver.prepare({ ...spec, slotDir, mounts });
    try {
      const exit = await withTimeout(tryTimeoutMs, claimOnceUp(sandbox, turnDir));
      if (exit?.code !== 0) throw new Error("a mount does not appear in a running sandbox");
    } finally {
      await sandbox.kill();
    }
  } finally {
    await Promise.all([mounts.remove(turnDir), mounts.remove(slotDir)]);
  }
}

/** Waits for the program before it claims: a mount from before the program's start would appear in any sandbox. */
async function claimOnceUp(sandbox: Sandbox, turnDir: string): Promise<SandboxExit> {
  sandbox.stderr.resume();
  await Promise.race([once(sandbox.stdout, "data"), sandbox.exited]);
  await sandbox.claim(turnDir);
  sandbox.channel.write("go\n");
  return sandbox.exited;
}

async function openMounts(given: string): Promise<SlotMounts> {
  const mounter = await openMounter();
  await mkdir(given, { recursive: true, mode: 0o700 });
  // The table of mounts contains real paths.
  const dir = await realpath(given);
  try {
    await mounter.run(["share", dir]);
  } catch (error) {
    await mounter.end();
    throw error;
  }
  const attachments = createAttachments(mounter);
  /** Directories that an attachment can hide, opened when they were created. */
  const hidden = new Map<string, { readonly handle: FileHandle; readonly changedAt: bigint }>();
  const placesOf = (slotDir: string): string[] => folders.map((name) => join(slotDir, name));
  const isAsMade = (place: string): boolean => {
    const made = hidden.get(place);
    return made !== undefined && changedAt(made.handle) === made.changedAt;
  };
  const detach = async (slotDir: string): Promise<void> => {
    await Promise.all(placesOf(slotDir).map((place) => attachments.undo(place)));
  };
  return {
    async make(name, owner) {
      const slotDir = join(dir, name);
      await mkdir(slotDir, { mode: 0o700 });
      for (const place of placesOf(slotDir)) {
        await mkdir(place, { mode: 0o700 });
        if (owner !== undefined) await chown(place, owner, owner);
        const handle = await open(place, constants.O_RDONLY | constants.O_DIRECTORY);
        hidden.set(place, { handle, changedAt: changedAt(handle) });
      }
      return slotDir;
    },
    pathOf: (name) => join(dir, name),
    // A turn waits for this, so recognize an untouched directory without an asynchronous call.
    async isUntouched(slotDir) {
      const touched = placesOf(slotDir).filter((place) => !isAsMade(place));
      return (await Promise.all(touched.map(isEmpty))).every(Boolean);
    },
    async isAsMade(slotDir) {
      return placesOf(slotDir).every(isAsMade);
    },
    async attach(turnDir, slotDir) {
      await Promise.all(folders.map((name) => attachments.make(join(turnDir, name), join(slotDir, name))));
    },
    hiddenBy: (slotDir) =>
      placesOf(slotDir).flatMap((place) => {
        const handle = attachments.has(place) ? hidden.get(place)?.handle : undefined;
        return handle === undefined ? [] : [`/proc/self/fd/${handle.fd}`];
      }),
    async leave(slotDir) {
      for (const place of placesOf(slotDir)) if (!(await attachments.undoUnused(place))) return false;
      return true;
    },
    detach,
    ...createFolderMaker(mounter),
    async remove(slotDir) {
      await detach(slotDir);
      const left = (await mountPoints()).find((place) => place.startsWith(`${slotDir}/`));
      if (left !== undefined) throw new Error(`${left} is still mounted, so ${slotDir} is not removed`);
      for (const place of placesOf(slotDir)) {
        await hidden.get(place)?.handle.close();
        hidden.delete(place);
      }
      await removeTree(slotDir);
    },
    close: () => mounter.run(["detach", dir]).finally(() => mounter.end()),
  };
}

/** Its commands are sent with the mounts of the same claim or end. */
function createFolderMaker(mounter: Pick<Mounter, "run">): FolderMaker {
  return {
    makeFolder: (path, owner) => mounter.run(["folder", path, String(owner ?? "")]),
    removeFolder: (path) =>
      mounter.run(["unmake", path]).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY") throw error;
        // It may be empty but large. That takes long to check, and all turns share the mounter.
        return rmdir(path);
      }),
  };
}

/** Reads at most one entry. Asynchronous, because reading a directory that was filled and emptied can take long. */
async function isEmpty(place: string): Promise<boolean> {
  const dir = await opendir(place);
  try {
    return (await dir.read()) === null;
  } finally {
    await dir.close();
  }
}

/** Returns a time that changes with every change to the directory or its entries, and that programs cannot set. */
function changedAt({ fd }: FileHandle): bigint {
  return fstatSync(fd, { bigint: true }).ctimeNs;
}

interface Attachments {
  make(from: string, place: string): Promise<void>;
  /** Returns whether something is attached. True until the attachment is gone for certain. */
  has(place: string): boolean;
  undo(place: string): Promise<void>;
  /** Undoes the attachment. Returns false if it is in use. */
  undoUnused(place: string): Promise<boolean>;
}

function createAttachments(mounter: Pick<Mounter, "run">): Attachments {
  const made = new Set<string>();
  const detaching = new Map<string, Promise<void>>();
  async function detach(place: string): Promise<void> {
    await mounter.run(["detach", place]).catch(async (error: unknown) => {
      // The mounter may have ended after it detached the directory.
      if (await isMounted(place)) throw error;
    });
    made.delete(place);
  }
  return {
    async make(from, place) {
      made.add(place);
      await mounter.run(["attach", from, place]).catch(async (error: unknown) => {
        if (!(await isMounted(place))) made.delete(place);
        throw error;
      });
    },
    has: (place) => made.has(place),
    async undo(place) {
      if (!made.has(place)) return;
      const undoing = detaching.get(place) ?? detach(place).finally(() => detaching.delete(place));
      detaching.set(place, undoing);
      await undoing;
    },
    async undoUnused(place) {
      if (!made.has(place)) return true;
      await mounter.run(["unmount", place]).catch(() => undefined);
      if (await isMounted(place)) return false;
      made.delete(place);
      return true;
    },
  };
}

/** Returns the mount points of this process. @throws if the table cannot be read: then nothing may be removed */
async function mountPoints(): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  return table.split("\n").map((line) => unescaped(line.split(" ")[4] ?? ""));
}

async function isMounted(place: string): Promise<boolean> {
  return (await mountPoints()).includes(place);
}

/** Decodes a path of the table, which contains spaces and similar characters as `\\040`. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

// Mounts and unmounts overlays and squashfs images with the native program.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { nativeCommand, openMounter, removeTree, startWithCapabilities, type MountCommand } from "@dari/native";

export interface OverlayMount {
  /** The names below are relative to this directory, because the kernel limits the length of a mount's options. */
  readonly cwd: string;
  /** The lower layers, uppermost first. */
  readonly lower: readonly string[];
  /** The upper directory. The mount creates `upper` and `work`, which saves one call. */
  readonly upper: string;
  readonly work: string;
  /** Absolute; an empty directory, created if missing. */
  readonly target: string;
  /** User and group of the target itself (default: this process's). */
  readonly owner?: number | undefined;
}

/**
 * The extended attributes in which overlays store marks. `user`: for a process that is root only in a user namespace.
 */
export type WhiteoutMarks = "trusted" | "user";

export interface Mounts {
  readonly marks: WhiteoutMarks;
  /**
   * Mounts `volatile`: nothing is flushed at the unmount, which would flush the whole file system. Does not clean up
   * after an error.
   */
  overlay(mount: OverlayMount): Promise<void>;
  /** Mounts a squashfs of ours, read-only. `owner`: user and group of everything in it, as in an overlay. */
  image(mount: { file: string; target: string; owner?: number | undefined }): Promise<void>;
  /** Creates whiteouts at these paths, relative to `cwd`: they hide the paths of the layers below. */
  whiteouts(cwd: string, paths: readonly string[]): Promise<void>;
  /** Returns false if a process still uses the mount. It is then detached, but can still be written to. */
  unmount(target: string): Promise<boolean>;
  /** Removes directories of `cwd`. What a turn without changes leaves is removed by the native program. */
  remove(cwd: string, names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Disables kernel features that store more in a layer than names and contents. */
const options = "volatile,redirect_dir=nofollow,metacopy=off,index=off,xino=off";

/** @throws if the native programs cannot run here */
export async function openMounts(marks: WhiteoutMarks = "trusted"): Promise<Mounts> {
  const mounter = await openMounter();
  const mount = async (what: string, command: MountCommand): Promise<void> => {
    await mounter.run(command).catch((error: Error) => {
      throw new Error(`${what} cannot be mounted: ${error.message}`, { cause: error });
    });
  };
  return {
    marks,
    overlay: ({ cwd, upper, work, target, owner, ...asked }) => {
      const list = overlayOptions({ ...asked, upper, work }, marks);
      return mount("an overlay", ["overlay", cwd, upper, work, list, target, String(owner ?? "")]);
    },
    image: ({ file, target, owner }) => mount("an image", ["image", file, target, String(owner ?? "")]),
    async whiteouts(cwd, paths) {
      // Wait for all of them before throwing, because the caller then removes the layer.
      const ends = await Promise.allSettled(paths.map((path) => mounter.run(["whiteout", cwd, path])));
      // Do not pass on the errors: they contain file names, which tenants choose.
      if (ends.some(({ status }) => status === "rejected")) throw new Error("a whiteout cannot be created in a layer");
    },
    async unmount(target) {
      try {
        await mounter.run(["unmount", target]);
        return true;
      } catch {
        await mounter.run(["detach", target]);
        return false;
      }
    },
    async remove(cwd, names) {
      const remove = (name: string): Promise<void> =>
        mounter.run(["clear", cwd, name]).catch(() => removeTree(join(cwd, name)));
      await Promise.all(names.map(remove));
    },
    close: () => mounter.end(),
  };
}

function overlayOptions(
  { lower, upper, work }: Omit<OverlayMount, "cwd" | "target" | "owner">,
  marks: WhiteoutMarks,
): string {
  const all = marks === "user" ? `${options},userxattr` : options;
  return `lowerdir=${lower.join(":")},upperdir=${upper},workdir=${work},${all}`;
}

/** Unmounts what a killed process left below `dir`. Returns the number of mounts; 0 on a machine without mounts. */
export async function sweepMounts(dir: string): Promise<number> {
  const targets = mountsBelow(await realpath(dir).catch(() => dir));
  if (targets.length === 0) return 0;
  const mounts = await openMounts();
  try {
    for (const target of targets) await mounts.unmount(target);
  } finally {
    await mounts.close();
  }
  return targets.length;
}

/**
 * Unmounts like `sweepMounts`, but synchronously: for the exit of the process. Mounts in use end with the last process
 * in them.
 */
export function sweepMountsAtExit(dir: string): void {
  const targets = mountsBelow(dir);
  if (targets.length === 0) return;
  const [file, ...args] = nativeCommand("mount");
  const input = targets.map((target) => `detach\0${target}\0`).join("");
  startWithCapabilities(() => spawnSync(file, args, { input, stdio: ["pipe", "ignore", "ignore"] }));
}

// Returns the mounts below a directory, innermost first.
function mountsBelow(dir: string): string[] {
  let table = "";
  try {
    table = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return [];
  }
  const targets = table.split("\n").map((line) => unescaped(line.split(" ")[4] ?? ""));
  return targets.filter((target) => target.startsWith(`${dir}/`)).reverse();
}

function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

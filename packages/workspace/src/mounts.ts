// Mounts and unmounts overlays, by the system's own programs, through one small shell that stays: starting processes
// from a large Node process is slow. Knows nothing of what is mounted.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { createInterface } from "node:readline";

export interface OverlayMount {
  /** Where the names below are looked up; the kernel bounds the length of their list. */
  readonly cwd: string;
  /** Uppermost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** Absolute; an existing directory. */
  readonly target: string;
}

/** Where overlays note what they hide: `user` is for a process that is root in a user namespace only. */
export type Marks = "trusted" | "user";

export interface Mounts {
  readonly marks: Marks;
  /** `volatile`: nothing is flushed at the unmount, which would flush the whole file system. */
  overlay(mount: OverlayMount): Promise<void>;
  /** Mounts a squashfs that we made, read-only. */
  image(mount: { file: string; target: string }): Promise<void>;
  /** Makes the marks that hide these paths, relative to `cwd`, in the layers below it. */
  whiteouts(cwd: string, paths: readonly string[]): Promise<void>;
  /** False when something still has it open: then it is gone from the tree of mounts and may still be written. */
  unmount(target: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Nothing that a later kernel may turn on, and that needs more than names and contents, is used in a layer. */
const options = "volatile,redirect_dir=nofollow,metacopy=off,index=off,xino=off";
const marksPerCommand = 100;
const end = "\u0001end ";

interface Shell {
  readonly child: ChildProcessWithoutNullStreams;
  run(command: string): Promise<{ status: number; said: string }>;
}

export function openMounts(marks: Marks = "trusted"): Mounts {
  let shell: Shell | undefined;
  let last: Promise<unknown> = Promise.resolve();
  // One after another: a shell has one input.
  function run(command: string): Promise<{ status: number; said: string }> {
    const next = last.then(() => {
      if (shell === undefined || shell.child.exitCode !== null || shell.child.signalCode !== null) shell = startShell();
      return shell.run(command);
    });
    last = next.catch(() => undefined);
    return next;
  }
  return {
    marks,
    async overlay({ cwd, lower, upper, work, target }) {
      const all = marks === "user" ? `${options},userxattr` : options;
      const list = `lowerdir=${lower.join(":")},upperdir=${upper},workdir=${work},${all}`;
      const command = `cd ${quote(cwd)} && mount -t overlay overlay -o ${quote(list)} ${quote(target)}`;
      const { status, said } = await run(command);
      if (status !== 0) throw new Error(`an overlay cannot be mounted at ${target}: ${said.trim()}`);
    },
    async image({ file, target }) {
      const command = `mount -t squashfs -o loop,ro,nosuid,nodev ${quote(file)} ${quote(target)}`;
      const { status, said } = await run(command);
      if (status !== 0) throw new Error(`an image cannot be mounted at ${target}: ${said.trim()}`);
    },
    async whiteouts(cwd, paths) {
      for (let i = 0; i < paths.length; i += marksPerCommand) {
        const marks = paths.slice(i, i + marksPerCommand).map((path) => `mknod ${quote(path)} c 0 0`);
        // What it says has names of files in it, which are anybody's.
        const command = `cd ${quote(cwd)} && { ${marks.join(" && ")}; } 2>/dev/null`;
        if ((await run(command)).status !== 0) throw new Error("a deletion cannot be marked in a layer");
      }
    },
    async unmount(target) {
      const { status, said } = await run(`umount ${quote(target)} || { umount -l ${quote(target)} && echo lazily; }`);
      if (status !== 0) throw new Error(`${target} cannot be unmounted: ${said.trim()}`);
      return !said.includes("lazily");
    },
    async close() {
      await last;
      const child = shell?.child;
      if (child === undefined || child.exitCode !== null) return;
      child.ref();
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.stdin.end();
      await ended;
    },
  };
}

/**
 * Unmounts whatever a process that was killed left below `dir`. Answers how many; a machine without mounts has none.
 */
export async function sweepMounts(dir: string): Promise<number> {
  const targets = mountsBelow(await realpath(dir).catch(() => dir));
  if (targets.length === 0) return 0;
  const mounts = openMounts();
  try {
    for (const target of targets) await mounts.unmount(target);
  } finally {
    await mounts.close();
  }
  return targets.length;
}

// Innermost first.
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

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function startShell(): Shell {
  // Its input ends with this process, and so does it.
  const child = spawn("/bin/sh", [], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined);
  child.stderr.resume();
  child.unref();
  const waiting: { said: string[]; resolve(answer: { status: number; said: string }): void; reject(e: Error): void }[] =
    [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const one = waiting[0];
    if (one === undefined) return;
    if (!line.startsWith(end)) return void one.said.push(line);
    waiting.shift();
    one.resolve({ status: Number(line.slice(end.length)), said: one.said.join("\n") });
  });
  const fail = (cause: Error): void => {
    for (const one of waiting.splice(0)) one.reject(new Error("the shell that mounts has ended", { cause }));
  };
  child.once("error", fail);
  child.once("close", (code) => fail(new Error(`status ${code}`)));
  return {
    child,
    run(command) {
      return new Promise((resolve, reject) => {
        waiting.push({ said: [], resolve, reject });
        child.stdin.write(`( ${command} ) 2>&1 </dev/null; echo "${end}$?"\n`);
      });
    },
  };
}

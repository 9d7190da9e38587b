// A small native program that mounts and keeps running, because starting a program from a large Node process is slow.

import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { getSystemErrorMap } from "node:util";
import { assertNativePrograms, nativeCommand } from "./native-program.ts";
import { startWithCapabilities, withholdCapabilities } from "./namespace/capabilities.ts";

/**
 * The maximum size of a word in `programs/mount.c`, with its NUL. A longer word would end it and fail the calls of
 * others.
 */
const wordBytesMax = 8192;

/** Words as `programs/mount.c` lists them. Each is a path or a list of options of less than 8 KiB. */
export type MountCommand =
  | readonly ["share" | "detach" | "unmount" | "unmake", to: string]
  | readonly ["attach", from: string, to: string]
  | readonly ["image", file: string, to: string, owner: string]
  | readonly ["overlay", cwd: string, upper: string, work: string, options: string, to: string, owner: string]
  | readonly ["whiteout", cwd: string, path: string]
  | readonly ["clear", cwd: string, name: string]
  | readonly ["folder", path: string, owner: string];

export interface Mounter {
  /** Runs commands one after another, in the order of the calls. @throws with the system's reason and `code`. */
  run(command: MountCommand): Promise<void>;
  /** Ends it after the running commands. Mounts stay. */
  end(): Promise<void>;
}

/** @throws if the native programs cannot run here */
export async function openMounter(): Promise<Mounter> {
  assertNativePrograms();
  await withholdCapabilities();
  return lastingMounter();
}

/** It keeps no state, so an ended one is replaced by another. */
function lastingMounter(): Mounter {
  let program = start();
  return {
    async run(command) {
      if (program.isGone()) program = start();
      await program.run(command);
    },
    end: () => program.end(),
  };
}

function start(): Mounter & { isGone(): boolean } {
  // Its input ends with this process, and then it ends.
  const options: SpawnOptions = { env: {}, stdio: ["pipe", "pipe", "ignore"] };
  const [file, ...args] = nativeCommand("mount");
  const child: ChildProcess = startWithCapabilities(() => spawn(file, args, options));
  const waiting: PromiseWithResolvers<string>[] = [];
  const closed = Promise.withResolvers<void>();
  let isGone = false;
  const fail = (): void => {
    isGone = true;
    for (const one of waiting.splice(0)) one.reject(new Error("the program that mounts has ended"));
    closed.resolve();
  };
  child.once("error", fail);
  child.once("close", fail);
  child.stdin!.on("error", () => {});
  child.unref();
  let unread = "";
  child.stdout!.setEncoding("latin1").on("data", (chunk: string) => {
    const lines = (unread + chunk).split("\n");
    unread = lines.pop()!;
    for (const line of lines) waiting.shift()?.resolve(line);
  });
  return {
    async run(words) {
      if (isGone) throw new Error("the program that mounts has ended");
      if (words.some((word) => word.includes("\0") || Buffer.byteLength(word) >= wordBytesMax)) {
        throw new Error(`cannot ${words[0]}: a path has a NUL or ${wordBytesMax} bytes or more`);
      }
      const answer = Promise.withResolvers<string>();
      waiting.push(answer);
      // Commands of one tick are sent with one system call.
      child.stdin!.cork();
      child.stdin!.write(words.map((word) => `${word}\0`).join(""));
      process.nextTick(() => child.stdin!.uncork());
      const number = Number(await answer.promise);
      if (number === 0) return;
      const [code, reason = `error ${number}`] = getSystemErrorMap().get(-number) ?? [];
      throw Object.assign(new Error(`cannot ${words[0]} ${words.at(-1)}: ${reason}`), { code });
    },
    isGone: () => isGone,
    end() {
      if (!isGone) child.ref();
      child.stdin!.end();
      return closed.promise;
    },
  };
}

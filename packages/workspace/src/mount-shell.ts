// One small shell that stays and runs commands one after another: starting processes from a large Node process is slow.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

export interface Shell {
  /** What a command says and how it ends; its words must be quoted. */
  run(command: string): Promise<{ status: number; said: string }>;
  /** When what was asked is done. */
  end(): Promise<void>;
}

const end = "\u0001end ";

/** Begins with its first command, and anew where it was ended. */
export function openShell(): Shell {
  let shell: Started | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return {
    // One after another: a shell has one input.
    run(command) {
      const next = last.then(() => {
        if (shell === undefined || shell.child.exitCode !== null || shell.child.signalCode !== null) shell = start();
        return shell.run(command);
      });
      last = next.catch(() => undefined);
      return next;
    },
    async end() {
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

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  run(command: string): Promise<{ status: number; said: string }>;
}

function start(): Started {
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

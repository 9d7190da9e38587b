// Another process that starts or attaches to a server, for tests of its owner's death.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const program = new URL("programs/hold.ts", import.meta.url).pathname;

export interface Holder {
  readonly url: string;
  readonly pid: number;
  readonly attached: boolean;
  /** kill -9, then waits for the end. */
  kill(): Promise<void>;
  /** Makes it exit without stopping anything. */
  exit(): Promise<void>;
  /** Makes it stop its servers and end. */
  end(): Promise<void>;
}

export async function startHolder(kind: "postgres" | "redis", dir: string): Promise<Holder> {
  const child = spawn(process.execPath, [program, kind, dir], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const line = once(createInterface(child.stdout), "line") as Promise<[string]>;
  const first = await Promise.race([line, exited.then(() => undefined)]);
  if (!first) throw new Error(`The program that holds ${kind} ended early`);
  const said = JSON.parse(first[0]) as { url: string; pid: number; attached: boolean };
  return {
    ...said,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async exit() {
      child.stdin.write("exit");
      await exited;
    },
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}

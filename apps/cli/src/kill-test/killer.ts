// How the kill test kills a worker: by its process id on this machine, or with a given command.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { CliError, invalid } from "../exit.ts";

export interface KillOptions {
  /** The process id of a worker on this machine. */
  readonly pid?: string;
  /** A shell command: `docker kill dari_worker_1`, `kubectl delete pod --grace-period=0 --force worker-…`. */
  readonly killCommand?: string;
}

export type Killer = () => Promise<void>;

const ask = "name the worker: --pid <its process id on this machine>, or --kill-command <command that kills it>";

/** @throws CliError with code 2 if neither or both are given, or the process is not a worker. */
export async function chooseKiller({ pid, killCommand }: KillOptions): Promise<Killer> {
  if ((pid === undefined) === (killCommand === undefined)) throw invalid(ask);
  if (killCommand !== undefined) return () => runCommand(killCommand);
  if (!/^[1-9]\d{0,9}$/.test(pid!)) throw invalid(`--pid is a process id, not ${pid}`);
  await checkIsWorker(Number(pid));
  return async () => {
    // It may have ended since, and another process may have its id.
    await checkIsWorker(Number(pid));
    process.kill(Number(pid), "SIGKILL");
  };
}

async function checkIsWorker(pid: number): Promise<void> {
  const line = await commandLineOf(pid);
  if (line.includes("apps/worker/")) return;
  throw invalid(`process ${pid} is not a worker: \`${line.slice(0, 200)}\`; pass a worker's id, or --kill-command`);
}

async function commandLineOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ").trim();
  } catch {
    throw invalid(`cannot read process ${pid} on this machine; for another machine use --kill-command`);
  }
}

/** Its output goes to stderr, because stdout is for the result. */
async function runCommand(command: string): Promise<void> {
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.pipe(process.stderr, { end: false });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === null) throw new CliError(`--kill-command was ended by a signal: ${command}`);
  if (code !== 0) throw new CliError(`--kill-command failed with exit code ${code}: ${command}`);
}

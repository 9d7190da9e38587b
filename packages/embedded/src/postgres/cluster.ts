// One cluster on disk with its password and port, created atomically. Processes are elsewhere.

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { identifyProcess } from "../process-identity.ts";
import { readStateFile, writeStateFile } from "../state-file.ts";
import type { Launcher } from "./launcher.ts";

export const superuser = "dari";
export const initialDatabase = "postgres";

export interface ClusterState {
  readonly password: string;
  /** The port of the last start; reused if it is free. */
  readonly port?: number;
}

export interface Cluster {
  readonly dir: string;
  readonly logFile: string;
  readState(): ClusterState;
  rememberPort(port: number): void;
}

const stateName = "dari-launcher.json";
const isState = (value: Partial<ClusterState>): boolean => typeof value.password === "string";

/**
 * Returns this launcher's cluster, created by initdb if there is none (0.7 s; longer when `sync` waits for the disk).
 * It works in a directory that is renamed at the end: a crash leaves no partial cluster, and of two concurrent starts
 * one wins.
 */
export async function openCluster(launcher: Launcher, options: { readonly sync: boolean }): Promise<Cluster> {
  const dir = path.join(launcher.home, "cluster");
  if (!existsSync(path.join(dir, "PG_VERSION"))) await initialize(launcher, dir, options.sync);
  const stateFile = path.join(dir, stateName);
  const readState = (): ClusterState => {
    const state = readStateFile<ClusterState>(stateFile, isState);
    if (!state) throw new Error(`${stateFile} is missing or damaged: without its password the cluster cannot be used.`);
    return state;
  };
  return {
    dir,
    logFile: path.join(launcher.home, "postgres.log"),
    readState,
    rememberPort(port) {
      const state = readState();
      if (state.port === port) return;
      writeStateFile(stateFile, { ...state, port });
      launcher.own(stateFile);
    },
  };
}

async function initialize(launcher: Launcher, dir: string, sync: boolean): Promise<void> {
  removeAbandoned(launcher.home);
  const workDir = path.join(launcher.home, `initdb-${process.pid}`);
  const passwordFile = `${workDir}.password`;
  const password = randomBytes(24).toString("base64url");
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    launcher.own(passwordFile);
    const auth = [`--username=${superuser}`, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const quiet = ["--no-instructions", ...(sync ? [] : ["--no-sync"])];
    await launcher.run("initdb", ["-D", workDir, ...auth, ...locale, ...quiet]);
    const stateFile = path.join(workDir, stateName);
    writeStateFile(stateFile, { password });
    launcher.own(stateFile);
    renameSync(workDir, dir);
  } catch (error) {
    // Another start finished first; its cluster is equally good.
    if (!existsSync(path.join(dir, "PG_VERSION"))) throw error;
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(workDir, { recursive: true, force: true });
  }
}

/** Directories of an initdb whose process died. */
function removeAbandoned(home: string): void {
  for (const name of readdirSync(home)) {
    const pid = /^initdb-(\d+)/.exec(name)?.[1];
    if (pid !== undefined && !identifyProcess(Number(pid))) {
      rmSync(path.join(home, name), { recursive: true, force: true });
    }
  }
}

// Runs the OpenCode server for one turn, or for all turns of a process that serves a session. In the second case its
// database is in /tmp, so that no file in HOME is open between two turns, and each turn's end copies it to HOME.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TurnError } from "../errors.mjs";

/** The server reads its settings, its database and its model list before it listens. In milliseconds. */
const startMs = 60_000;
const endMs = 1_000;
const outputChars = 4_000;

/** A server that is kept for the next turn of this process: its settings and its process. */
let kept;

/**
 * Starts a server, or returns the kept one. `mayKeep`: the process may run another turn. `leave(isDone)` ends the
 * turn's use of it, and resolves with the number of processes that are kept.
 */
export async function takeServer(binDir, config, { signal, mayKeep }) {
  const key = JSON.stringify([binDir, config]);
  const found = kept?.key === key && kept.process.exitCode === null ? kept : undefined;
  if (found === undefined) kept?.process.kill();
  kept = undefined;
  const server = found ?? (await start(binDir, config, { key, signal, mayKeep }));
  setRef(server, "ref");
  return {
    url: server.url,
    async leave(isDone) {
      const isKept = isDone && server.database !== undefined;
      if (isKept) saveDatabase(server);
      if (!isKept || hasChildren(server.process.pid)) {
        server.process.kill();
        // To be kept, the process must have no other children then.
        if (mayKeep) await untilEnded(server.process);
        return 0;
      }
      kept = server;
      setRef(server, "unref");
      return 1;
    },
  };
}

async function start(binDir, config, { key, signal, mayKeep }) {
  const sqlite = mayKeep && process.env.OPENCODE_DB === undefined ? await loadSqlite() : undefined;
  const dir = sqlite && mkdtempSync(join(tmpdir(), "opencode-"));
  const database = dir && join(dir, "opencode.db");
  if (database !== undefined) {
    openDatabase(database);
    dropLog();
  }
  const child = spawn(join(binDir, "opencode"), ["serve", "--hostname=127.0.0.1", "--port=0"], {
    // A working directory in the workspace would keep it from being unmounted.
    cwd: dir ?? process.cwd(),
    env: {
      ...process.env,
      OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
      ...(database && { OPENCODE_DB: database }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const url = await untilListening(child, signal);
  // Older versions do not have the variable.
  const isSupported = database !== undefined && existsSync(database);
  return { key, process: child, url, sqlite, database: isSupported ? database : undefined };
}

async function untilEnded(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const late = setTimeout(() => child.kill("SIGKILL"), endMs);
  await once(child, "exit");
  clearTimeout(late);
}

async function untilListening(child, signal) {
  const { promise, resolve, reject } = Promise.withResolvers();
  let said = "";
  const take = (text) => {
    said = (said + text).slice(-outputChars);
    const url = /opencode server listening on (https?:\/\/\S+)/.exec(said)?.[1];
    if (url !== undefined) resolve(url);
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);
  const fail = (why) => reject(new TurnError("agent_error", `the OpenCode server ${why}\n${said}`.trim()));
  child.once("error", (error) => fail(`could not be started: ${error.message}`));
  child.once("exit", (code, killer) => fail(`ended by ${killer ?? `exit code ${code}`}`));
  const late = setTimeout(() => fail(`did not start within ${startMs / 1_000} s`), startMs);
  const stop = () => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await promise;
  } catch (error) {
    child.kill();
    throw error;
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
  }
}

/** Missing in Node 20. Its warning that it is experimental is not the agent's. */
async function loadSqlite() {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return await import("node:sqlite");
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Returns where the server itself puts its database. */
function homeDatabase() {
  const data = process.env.XDG_DATA_HOME || join(process.env.HOME ?? homedir(), ".local", "share");
  return join(data, "opencode", "opencode.db");
}

const besideDatabase = ["-wal", "-shm"];

function openDatabase(database) {
  for (const ending of ["", "-wal"]) {
    if (existsSync(homeDatabase() + ending)) copyFileSync(homeDatabase() + ending, database + ending);
  }
}

/** The server keeps its log open. In HOME, that would keep the process from being stopped between turns. */
function dropLog() {
  const log = join(dirname(homeDatabase()), "log", "opencode.log");
  mkdirSync(dirname(log), { recursive: true });
  rmSync(log, { force: true });
  symlinkSync("/dev/null", log);
}

/** Copies the database to HOME while the server has it open. */
function saveDatabase({ sqlite, database }) {
  const target = homeDatabase();
  const copy = `${target}.copy`;
  mkdirSync(dirname(target), { recursive: true });
  rmSync(copy, { force: true });
  const opened = new sqlite.DatabaseSync(database);
  try {
    opened.exec(`VACUUM INTO '${copy.replaceAll("'", "''")}'`);
  } finally {
    opened.close();
  }
  for (const ending of besideDatabase) rmSync(target + ending, { force: true });
  renameSync(copy, target);
}

/**
 * Returns whether the server has child processes, such as MCP servers. They work in the workspace, and end with the
 * server.
 */
function hasChildren(pid) {
  const parentOf = (name) => {
    try {
      // The name can contain anything. After it come the state and the parent.
      return readFileSync(`/proc/${name}/stat`, "latin1").split(") ").at(-1).split(" ")[1];
    } catch {
      return undefined;
    }
  };
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && parentOf(name) === String(pid));
}

/** Makes a kept server keep the process alive, or not. */
function setRef({ process: child }, how) {
  for (const one of [child, child.stdout, child.stderr]) one[how]();
}

// How a guest is started: the interpreter's arguments, and the host paths that it must be able to read.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type Language = "typescript" | "python";

export interface GuestCommand {
  /** [interpreter, ...arguments]; absolute host paths. */
  readonly argv: string[];
  readonly readOnlyPaths: string[];
  /** Variables that only the interpreter sees. The agent's own replace them. */
  readonly env: Readonly<Record<string, string>>;
  /** Memory that the interpreter reserves and does not use, in bytes. */
  readonly reservedBytes: number;
}

/** The package that the Python guest provides to agents; see `agent_package.py`. */
const agentPackageDir = fileURLToPath(new URL("../../agent-python/src/dari_agent", import.meta.url));

const guestDir = fileURLToPath(new URL("../guest", import.meta.url));

/** The main module of the guest for Node agents, from which one script of all its modules is built. */
export const nodeGuestMain = join(guestDir, "node", "main.mjs");

/** The suffix of the file that loads an agent with all its packages. */
const bundledEnding = ".dari.load.cjs";

const MiB = 1024 ** 2;

/**
 * V8 flags for a bundled agent: memory for everything that its packages create while they load. Most of it stays in
 * use, and with less memory it is copied several times, which takes a fifth of the start.
 */
const bundledAgentFlags: readonly string[] = ["--min-semi-space-size=48", "--max-semi-space-size=48"];
/** Agents with less memory start without these flags: V8 can reserve this memory twice. In bytes. */
const roomyBytes = 1024 * MiB;
/** V8 flag for agents with less than `roomyBytes`. By default, new objects can take 192 MiB in Node 24. */
const smallAgentFlag = "--max-semi-space-size=16";
/** Memory of a Node process outside the heap of old objects: new objects, code, buffers. In bytes. */
const headroomBytes = { min: 96 * MiB, max: 512 * MiB };
/** V8 reserves 512 MiB for compiled code (Node 24), and each of Node's threads has a stack of 8 MiB. */
const nodeReservedBytes = 640 * MiB;

/**
 * V8 and Node work without threads as far as they can: a fork has only its first thread. A pool of 0 threads would be
 * one for each processor. V8 would optimize frequently used WebAssembly in a thread also with `--single-threaded`, and
 * Node waits for such work whenever its event loop has nothing to do. V8 also collects garbage eight seconds after the
 * last time, if a program has become idle: each fork of an older template would do that first, and write to the heap.
 */
const templateFlags: readonly string[] = [
  "--single-threaded",
  "--v8-pool-size=1",
  "--no-wasm-dynamic-tiering",
  "--no-memory-reducer",
];
/**
 * V8 compiles a function when it is first called. Each fork would compile the same functions again, so a template
 * compiles all of them. The guest takes the flag back when the agent is loaded.
 */
const compileAheadFlag = "--no-lazy";

/** Whether an agent's NODE_OPTIONS limit its heap. Node's arguments would override that. */
const limitsHeap = /--max[-_]old[-_]space[-_]size/;

const isRoomyLimit = (memoryBytes: number | undefined): boolean =>
  memoryBytes === undefined || memoryBytes >= roomyBytes;

/** Compiling ahead takes memory for code that no turn may call: some 45 MB for a bundled agent of 4 MB. */
function flagsOfTemplate({ memoryBytes, nodeOptions = "" }: GuestOptions): readonly string[] {
  const canCompileAhead = isRoomyLimit(memoryBytes) && !limitsHeap.test(nodeOptions);
  return canCompileAhead ? [...templateFlags, compileAheadFlag] : templateFlags;
}

/**
 * Returns V8's flags. The guest sets each flag to 0, V8's own choice, before it loads the agent: they apply only to the
 * heap of the agent's process, which exists by then.
 */
function heapFlags({ entryFile, memoryBytes, nodeOptions = "", isTemplate }: GuestOptions): readonly string[] {
  const isRoomy = isRoomyLimit(memoryBytes);
  // Each child of a template writes to all of its memory for new objects.
  const loadsMuch = isRoomy && entryFile?.endsWith(bundledEnding) === true && isTemplate !== true;
  const loadFlags = loadsMuch ? bundledAgentFlags : [];
  if (memoryBytes === undefined || limitsHeap.test(nodeOptions)) return loadFlags;
  const headroom = Math.min(Math.max(memoryBytes / 4, headroomBytes.min), headroomBytes.max);
  const heapBytes = Math.max(memoryBytes / 2, memoryBytes - headroom);
  const heapFlag = `--max-old-space-size=${Math.floor(heapBytes / MiB)}`;
  return [heapFlag, ...(isRoomy ? loadFlags : [smallAgentFlag])];
}

export interface GuestOptions {
  /** The agent's file in its image (default: one that is not bundled). */
  readonly entryFile?: string;
  /** The agent's memory limit, from which Node's heap gets its limit (default: V8's own choice). */
  readonly memoryBytes?: number | undefined;
  /** The agent's NODE_OPTIONS. A limit of the heap in them is kept. */
  readonly nodeOptions?: string | undefined;
  /** Absolute path of the Node guest as one script (default: its separate modules). */
  readonly nodeScript?: string | undefined;
  /** Whether it will be forked for each turn (load-template.ts). */
  readonly isTemplate?: boolean;
  /** Absolute path of the module that forks a Node guest; required if it `isTemplate`. */
  readonly forkModule?: string;
}

/** @param interpreter absolute path of a node (>= 20) or a python (>= 3.10), never a version manager's shim */
export function guestCommand(language: Language, interpreter: string, o: GuestOptions = {}): GuestCommand {
  const real = realpathSync(interpreter);
  if (language === "typescript") {
    const main = o.nodeScript ?? nodeGuestMain;
    const fork = o.isTemplate ? ["template", o.forkModule!] : [];
    return {
      argv: [real, ...(o.isTemplate ? flagsOfTemplate(o) : []), ...heapFlags(o), main, ...fork],
      readOnlyPaths: [real, o.nodeScript ?? dirname(nodeGuestMain), ...fork.slice(1)],
      env: o.isTemplate ? { LD_PRELOAD: o.forkModule! } : {},
      reservedBytes: nodeReservedBytes,
    };
  }
  const dir = join(guestDir, "python");
  const prefix = prefixOf(real);
  const environment = prefixOf(interpreter);
  // A virtual environment is identified by the path it is started under, and reads from the installation it was made
  // from.
  const isVirtual = existsSync(join(environment, "pyvenv.cfg"));
  return {
    argv: [
      isVirtual ? interpreter : real,
      "-X",
      "utf8",
      "-u",
      join(dir, "main.py"),
      ...(o.isTemplate ? ["template"] : []),
    ],
    readOnlyPaths: [
      ...(isVirtual ? [environment] : []),
      ...(prefix === "/" || prefix === "/usr" ? [] : [prefix]),
      dir,
      agentPackageDir,
    ],
    env: {},
    reservedBytes: 0,
  };
}

/** `/opt/python/bin/python3` → `/opt/python`: the libraries are beside bin. */
function prefixOf(interpreter: string): string {
  return dirname(dirname(interpreter));
}

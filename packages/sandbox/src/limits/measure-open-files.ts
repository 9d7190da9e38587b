// Measures deleted files that processes still hold open, on disk or in memory. No directory shows these files.

import { open, readdir, readFile, stat, statfs } from "node:fs/promises";

export interface OpenFiles {
  /** Files on disks. */
  readonly disk: { readonly bytes: number; readonly files: number };
  /** Total size of files and segments in memory that are not on a file system of `exceptDevices`, in bytes. */
  readonly memoryBytes: number;
  /** Number of descriptors in flight between processes, whose files cannot be measured. */
  readonly underWay: number;
  /** Whether the measurement stopped at its limit, before everything was examined. */
  readonly isPartial: boolean;
}

interface Found {
  /** The measured files, by device and inode. */
  readonly sizes: Map<string, { bytes: number; isMemory: boolean }>;
  /** Resident bytes of mappings that cannot be examined: the sum of each process's share. */
  resident: { disk: number; memory: number };
  underWay: number;
  /** How much may still be examined. If negative, something was not examined. */
  examinationsLeft: number;
}

/** Maximum number of descriptors and mappings that one call examines, which takes one or two seconds. */
const defaultExaminationsMax = 50_000;
/** The cost of reading one part of a list of mappings, in examined descriptors. */
const examinationsPerPart = 10;

const memoryFileSystem = 0x01021994;

/**
 * Counts each file once, however many processes hold it open. Ignores files of `exceptDevices`, and processes that have
 * ended. `threads`: `apart` if each thread can have its own descriptors.
 */
export async function measureOpenFiles(
  pids: readonly number[],
  exceptDevices: ReadonlySet<number> = new Set(),
  examinationsMax = defaultExaminationsMax,
  threads: "apart" | "as one" = "apart",
): Promise<OpenFiles> {
  const found: Found = {
    sizes: new Map(),
    resident: { disk: 0, memory: 0 },
    underWay: 0,
    examinationsLeft: examinationsMax,
  };
  const others: string[] = [];
  const processes: { pid: number; threads: readonly string[] }[] = [];
  for (const pid of pids) {
    const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
    const [first, ...rest] = tasks.map((thread) => `/proc/${pid}/task/${thread}`);
    if (first !== undefined) await examineDescriptors(first, found, exceptDevices);
    if (threads === "apart") for (const one of rest) others.push(one);
    processes.push({ pid, threads: tasks });
  }
  // Examine mappings after open files: a file that is both is then known already, even if its mapping cannot be
  // examined.
  for (const one of processes) await examineMappings(one.pid, one.threads, found, exceptDevices);
  // Examine other threads last: they can have their own descriptors, but most share those of their process.
  for (const task of others) await examineDescriptors(task, found, exceptDevices);
  const sizes = [...found.sizes.values()];
  const sum = (isMemory: boolean): number =>
    sizes.reduce((bytes, one) => bytes + (one.isMemory === isMemory ? one.bytes : 0), 0);
  return {
    disk: { bytes: sum(false) + found.resident.disk, files: sizes.filter(({ isMemory }) => !isMemory).length },
    memoryBytes: sum(true) + found.resident.memory,
    underWay: found.underWay,
    isPartial: found.examinationsLeft < 0,
  };
}

/** Subtracts a cost. Returns whether the examination may be made. */
function mayExamine(found: Found, cost = 1): boolean {
  found.examinationsLeft -= cost;
  return found.examinationsLeft >= 0;
}

async function examineDescriptors(task: string, found: Found, except: ReadonlySet<number>): Promise<void> {
  if (!mayExamine(found)) return;
  for (const name of await readdir(`${task}/fd`).catch(() => [])) {
    if (!mayExamine(found)) return;
    const kind = await examineFile(`${task}/fd/${name}`, found, except);
    if (kind === "socket") found.underWay += await underWayTo(`${task}/fdinfo/${name}`);
  }
}

/** Examines deleted files that a process has mapped. A mapping stays after its descriptor is closed. */
async function examineMappings(
  pid: number,
  threads: readonly string[],
  found: Found,
  except: ReadonlySet<number>,
): Promise<void> {
  // If the first thread has ended, its list is empty, so try the next thread.
  for (const thread of threads) {
    if (!mayExamine(found)) return;
    const hidden = new Set<string>();
    const kinds = new Map<string, Kind>();
    let hasLines = false;
    for await (const lines of linesOf(`/proc/${pid}/task/${thread}/maps`)) {
      hasLines = true;
      if (!mayExamine(found, examinationsPerPart)) return;
      for (const line of lines) {
        if (!line.endsWith(" (deleted)")) continue;
        const [range = "", , , device = "", inode = ""] = line.split(" ", 5);
        // One file can be mapped tens of thousands of times, so examine it once.
        const file = `${device} ${inode}`;
        if (!kinds.has(file) && !mayExamine(found)) return;
        const kind = kinds.get(file) ?? (await examineFile(mappingOf(pid, range), found, except));
        kinds.set(file, kind);
        if (kind === "hidden" && !isCounted(numberOf(device), inode, found, except)) hidden.add(range);
      }
    }
    if (!hasLines) continue;
    if (hidden.size > 0) await addResident(`/proc/${pid}/task/${thread}/smaps`, hidden, found);
    return;
  }
}

/** Returns the path of a mapping's file in /proc, whose name has no leading zeros. */
function mappingOf(pid: number, range: string): string {
  return `/proc/${pid}/map_files/${range.replace(/(^|-)0+(?=[0-9a-f])/g, "$1")}`;
}

function isCounted(device: number, inode: string, { sizes }: Found, except: ReadonlySet<number>): boolean {
  return except.has(device) || sizes.has(`${device}:${inode}`);
}

/** Converts `fe:01`, a device in a list of mappings, to stat's number. */
function numberOf(device: string): number {
  const [major = 0, minor = 0] = device.split(":").map((part) => Number.parseInt(part, 16));
  return major * 0x100 + (minor & 0xff) + (minor >>> 8) * 0x100000;
}

type Kind = "socket" | "hidden" | "other";

async function examineFile(path: string, { sizes }: Found, except: ReadonlySet<number>): Promise<Kind> {
  try {
    const one = await stat(path);
    if (one.isSocket()) return "socket";
    if (!one.isFile() || one.nlink > 0 || one.blocks === 0 || except.has(one.dev)) return "other";
    const key = `${one.dev}:${one.ino}`;
    if (sizes.has(key)) return "other";
    const isMemory = (await statfs(path)).type === memoryFileSystem;
    sizes.set(key, { bytes: one.blocks * 512, isMemory });
    return "other";
  } catch {
    return "hidden";
  }
}

/** Recognizes segments in memory by their names, which no file on the sandbox's disk has. */
const memoryName = / (\/dev\/zero|\/memfd:.*|\/SYSV[0-9a-f]{8}|\/dev\/shm\/.*|\/tmp\/.*) \(deleted\)$/;

async function addResident(smaps: string, ranges: ReadonlySet<string>, found: Found): Promise<void> {
  const { resident } = found;
  let kind: "disk" | "memory" | undefined;
  for await (const lines of linesOf(smaps)) {
    if (!mayExamine(found, examinationsPerPart)) return;
    for (const line of lines) {
      const range = /^[0-9a-f]+-[0-9a-f]+(?= )/.exec(line)?.[0];
      if (range !== undefined) kind = !ranges.has(range) ? undefined : memoryName.test(line) ? "memory" : "disk";
      else if (kind !== undefined && line.startsWith("Pss:")) resident[kind] += Number(/\d+/.exec(line)![0]) * 1024;
    }
  }
}

async function underWayTo(fdinfo: string): Promise<number> {
  return Number(/^scm_fds:\s*(\d+)$/m.exec(await read(fdinfo))?.[1] ?? 0);
}

const partBytes = 64 * 1024;

/**
 * Yields some lines at a time: the list of a process's mappings can have tens of megabytes. Yields
 * nothing for an ended process.
 */
async function* linesOf(path: string): AsyncGenerator<string[], void> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return;
  try {
    const part = Buffer.alloc(partBytes);
    const readPart = (): Promise<number> =>
      file.read(part, 0, partBytes, null).then(
        ({ bytesRead }) => bytesRead,
        () => 0,
      );
    let lastLine = "";
    for (let length = await readPart(); length > 0; length = await readPart()) {
      const lines = (lastLine + part.toString("latin1", 0, length)).split("\n");
      lastLine = lines.pop()!;
      yield lines;
    }
    if (lastLine !== "") yield [lastLine];
  } finally {
    await file.close();
  }
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}

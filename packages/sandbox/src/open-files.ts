// Measures files without a name that processes hold open, on disk or in memory: no directory shows them.

import { open, readdir, readFile, stat, statfs } from "node:fs/promises";

export interface OpenFiles {
  /** On disks. */
  readonly disk: { readonly bytes: number; readonly files: number };
  /** Files and segments in memory that are on no file system of `exceptDevices`, in bytes. */
  readonly memoryBytes: number;
  /** Descriptors in flight between processes: what they hold cannot be measured. */
  readonly underWay: number;
  /** Whether there is more than one call measures. */
  readonly isPartial: boolean;
}

interface Found {
  /** By device and inode. */
  readonly sizes: Map<string, { bytes: number; isMemory: boolean }>;
  /** Resident bytes of mappings that cannot be examined, each process's share. */
  resident: { disk: number; memory: number };
  underWay: number;
  /** How much may still be examined. Below zero, something was not. */
  looksLeft: number;
}

/** Descriptors and mappings that one call examines: one or two seconds' work. */
const defaultLooksMax = 50_000;
/** The cost of reading one part of a list of mappings, in descriptors. */
const looksPerPart = 10;

const memoryFileSystem = 0x01021994;

/**
 * Counts each file once, however many processes hold it. A process that has ended holds nothing. Ignores files of
 * `exceptDevices`. `threads`: whether each can have its own descriptors.
 */
export async function measureOpenFiles(
  pids: readonly number[],
  exceptDevices: ReadonlySet<number> = new Set(),
  looksMax = defaultLooksMax,
  threads: "apart" | "as one" = "apart",
): Promise<OpenFiles> {
  const found: Found = { sizes: new Map(), resident: { disk: 0, memory: 0 }, underWay: 0, looksLeft: looksMax };
  const others: string[] = [];
  const processes: { pid: number; threads: readonly string[] }[] = [];
  for (const pid of pids) {
    const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
    const [first, ...rest] = tasks.map((thread) => `/proc/${pid}/task/${thread}`);
    if (first !== undefined) await lookAtDescriptors(first, found, exceptDevices);
    if (threads === "apart") for (const one of rest) others.push(one);
    processes.push({ pid, threads: tasks });
  }
  // Mappings after open files: a file that is both is known by then, even if mappings are hidden.
  for (const one of processes) await lookAtMappings(one.pid, one.threads, found, exceptDevices);
  // A thread can have its own descriptors, but most share their process's.
  for (const task of others) await lookAtDescriptors(task, found, exceptDevices);
  const sizes = [...found.sizes.values()];
  const sum = (isMemory: boolean): number =>
    sizes.reduce((bytes, one) => bytes + (one.isMemory === isMemory ? one.bytes : 0), 0);
  return {
    disk: { bytes: sum(false) + found.resident.disk, files: sizes.filter(({ isMemory }) => !isMemory).length },
    memoryBytes: sum(true) + found.resident.memory,
    underWay: found.underWay,
    isPartial: found.looksLeft < 0,
  };
}

/** Returns whether something of that cost may be examined. */
function mayLook(found: Found, cost = 1): boolean {
  found.looksLeft -= cost;
  return found.looksLeft >= 0;
}

async function lookAtDescriptors(task: string, found: Found, except: ReadonlySet<number>): Promise<void> {
  if (!mayLook(found)) return;
  for (const name of await readdir(`${task}/fd`).catch(() => [])) {
    if (!mayLook(found)) return;
    const kind = await lookAt(`${task}/fd/${name}`, found, except);
    if (kind === "socket") found.underWay += await underWayTo(`${task}/fdinfo/${name}`);
  }
}

/** A mapping stays when its descriptor is closed. */
async function lookAtMappings(
  pid: number,
  threads: readonly string[],
  found: Found,
  except: ReadonlySet<number>,
): Promise<void> {
  // A first thread that has ended reports nothing.
  for (const thread of threads) {
    if (!mayLook(found)) return;
    const hidden = new Set<string>();
    const kinds = new Map<string, Kind>();
    let isTold = false;
    for await (const lines of linesOf(`/proc/${pid}/task/${thread}/maps`)) {
      isTold = true;
      if (!mayLook(found, looksPerPart)) return;
      for (const line of lines) {
        if (!line.endsWith(" (deleted)")) continue;
        const [range = "", , , device = "", inode = ""] = line.split(" ", 5);
        // One file can be mapped tens of thousands of times.
        const file = `${device} ${inode}`;
        if (!kinds.has(file) && !mayLook(found)) return;
        const kind = kinds.get(file) ?? (await lookAt(mappingOf(pid, range), found, except));
        kinds.set(file, kind);
        if (kind === "hidden" && !isCounted(numberOf(device), inode, found, except)) hidden.add(range);
      }
    }
    if (!isTold) continue;
    if (hidden.size > 0) await addResident(`/proc/${pid}/task/${thread}/smaps`, hidden, found);
    return;
  }
}

/** Names there have no leading zeros. */
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

async function lookAt(path: string, { sizes }: Found, except: ReadonlySet<number>): Promise<Kind> {
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
    if (!mayLook(found, looksPerPart)) return;
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
 * Yields some lines at a time: a process can have so many mappings that their list has tens of megabytes. Yields
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
    let begun = "";
    for (let length = await readPart(); length > 0; length = await readPart()) {
      const lines = (begun + part.toString("latin1", 0, length)).split("\n");
      begun = lines.pop()!;
      yield lines;
    }
    if (begun !== "") yield [begun];
  } finally {
    await file.close();
  }
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}

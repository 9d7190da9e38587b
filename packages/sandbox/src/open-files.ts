// Files without a name that processes hold open: no directory leads to what they take, on the disk or in memory.

import { readdir, readFile, stat, statfs } from "node:fs/promises";

export interface OpenFiles {
  /** On disks. */
  readonly disk: { readonly bytes: number; readonly files: number };
  /** Files and segments in memory, on no file system of `exceptDevices`; bytes. */
  readonly memoryBytes: number;
  /** Descriptors on their way from one process to another: what they hold cannot be looked at. */
  readonly underWay: number;
}

interface Found {
  readonly sizes: Map<string, { bytes: number; isMemory: boolean }>;
  /** Of mappings that may not be looked at: what is resident, by the share of each process. */
  resident: { disk: number; memory: number };
  underWay: number;
}

const memoryFileSystem = 0x01021994;

/** Each file once, however many hold it. A process that is gone meanwhile holds nothing. */
export async function measureOpenFiles(
  pids: readonly number[],
  exceptDevices: ReadonlySet<number> = new Set(),
): Promise<OpenFiles> {
  const found: Found = { sizes: new Map(), resident: { disk: 0, memory: 0 }, underWay: 0 };
  for (const pid of pids) {
    const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
    // A thread may have descriptors of its own.
    for (const thread of threads) await lookAtDescriptors(`/proc/${pid}/task/${thread}`, found, exceptDevices);
    await lookAtMappings(pid, threads, found, exceptDevices);
  }
  const sizes = [...found.sizes.values()];
  const sum = (isMemory: boolean): number =>
    sizes.reduce((bytes, one) => bytes + (one.isMemory === isMemory ? one.bytes : 0), 0);
  return {
    disk: { bytes: sum(false) + found.resident.disk, files: sizes.filter(({ isMemory }) => !isMemory).length },
    memoryBytes: sum(true) + found.resident.memory,
    underWay: found.underWay,
  };
}

async function lookAtDescriptors(task: string, found: Found, except: ReadonlySet<number>): Promise<void> {
  for (const name of await readdir(`${task}/fd`).catch(() => [])) {
    const kind = await lookAt(`${task}/fd/${name}`, found, except);
    if (kind === "socket") found.underWay += await underWayTo(`${task}/fdinfo/${name}`);
  }
}

/** What is mapped stays when its descriptor is closed. */
async function lookAtMappings(
  pid: number,
  threads: readonly string[],
  found: Found,
  except: ReadonlySet<number>,
): Promise<void> {
  // Of a first thread that has ended nothing is told.
  for (const thread of threads) {
    const maps = await read(`/proc/${pid}/task/${thread}/maps`);
    if (maps === "") continue;
    const hidden = new Set<string>();
    for (const line of maps.split("\n")) {
      if (!line.endsWith(" (deleted)")) continue;
      const range = line.slice(0, line.indexOf(" "));
      // The names there are without leading zeros.
      const name = range.replace(/(^|-)0+(?=[0-9a-f])/g, "$1");
      if ((await lookAt(`/proc/${pid}/map_files/${name}`, found, except)) === "hidden") hidden.add(range);
    }
    if (hidden.size > 0) addResident(await read(`/proc/${pid}/task/${thread}/smaps`), hidden, found);
    return;
  }
}

async function lookAt(
  path: string,
  { sizes }: Found,
  except: ReadonlySet<number>,
): Promise<"socket" | "hidden" | "other"> {
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

/** Segments in memory are told from files by their names, which no file on a disk of the sandbox has. */
const memoryName = / (\/dev\/zero|\/memfd:.*|\/SYSV[0-9a-f]{8}|\/dev\/shm\/.*|\/tmp\/.*) \(deleted\)$/;

function addResident(smaps: string, ranges: ReadonlySet<string>, { resident }: Found): void {
  let kind: "disk" | "memory" | undefined;
  for (const line of smaps.split("\n")) {
    const range = /^[0-9a-f]+-[0-9a-f]+(?= )/.exec(line)?.[0];
    if (range !== undefined) kind = !ranges.has(range) ? undefined : memoryName.test(line) ? "memory" : "disk";
    else if (kind !== undefined && line.startsWith("Pss:")) resident[kind] += Number(/\d+/.exec(line)![0]) * 1024;
  }
}

async function underWayTo(fdinfo: string): Promise<number> {
  return Number(/^scm_fds:\s*(\d+)$/m.exec(await read(fdinfo))?.[1] ?? 0);
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}

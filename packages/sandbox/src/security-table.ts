// The table of docs/security-isolation.md: what stops what, by driver, and the test file that proves it. A cell without
// a test says "not stopped". Tests declare what they prove by `testGuarantee` of @dari/testkit.

/** The test files by their names on the page. */
export const evidence = {
  conformance: "packages/sandbox/tests/conformance.drivers.test.ts",
  isolation: "packages/sandbox/tests/isolation.drivers.test.ts",
  landlock: "packages/sandbox/tests/landlock.matrix.test.ts",
  limits: "packages/sandbox/tests/limits.drivers.test.ts",
  "system-calls": "packages/sandbox/tests/system-calls.test.ts",
  "host-users": "packages/sandbox/tests/host-users.test.ts",
  escapes: "apps/lab/tests/escapes.matrix.test.ts",
  holes: "packages/workspace/tests/holes.test.ts",
  disks: "packages/workspace/tests/disks.test.ts",
  "capture-logs": "packages/harness/src/capture-logs.test.ts",
} as const;

export type Evidence = keyof typeof evidence;
export const tableDrivers = ["bwrap", "oci", "landlock", "process"] as const;
export type TableDriver = (typeof tableDrivers)[number];

interface Cell {
  readonly says: string;
  /** Absent if the driver does not stop it. */
  readonly by?: Evidence;
  /** Applies only if each organization has a host user. */
  readonly needsHostUsers?: boolean;
}

interface Row {
  readonly tries: string;
  readonly bwrap: Cell;
  /** Default: the same as bwrap. */
  readonly oci?: Cell;
  readonly landlock: Cell;
  readonly process: Cell;
}

const held = (by: Evidence, says: string): Cell => ({ by, says });
const open = (says?: string): Cell => ({ says: ["**not stopped**", ...(says === undefined ? [] : [says])].join(": ") });

export const securityTable = {
  files: {
    tries: "read another session's files, the worker's directory, the host's files",
    bwrap: held("escapes", "they do not exist there: own mount namespace"),
    landlock: held(
      "escapes",
      "cannot be opened: Landlock, and a user of its own. **That a path exists, its size and times can be seen** " +
        "if the file system's permissions allow it",
    ),
    process: open(),
  },
  modes: {
    tries: "change modes, owners or times of what it cannot open",
    bwrap: held("isolation", "the host's files do not exist there; its devices belong to another user"),
    landlock: held("landlock", "another user's files"),
    process: open(),
  },
  processes: {
    tries: "read the platform's environment or other processes in /proc",
    bwrap: held("escapes", "own pid namespace and /proc"),
    landlock: held(
      "escapes",
      "/proc cannot be listed; only the agent's first process can be read. **That a process number is in use, and by " +
        "which user, can be seen**",
    ),
    process: open(),
  },
  descriptors: {
    tries: "inherit the worker's descriptors",
    bwrap: held("conformance", "closed"),
    landlock: held("conformance", "closed"),
    process: held("conformance", "closed"),
  },
  image: {
    tries: "write into its image",
    bwrap: held("escapes", "read-only mount (`EROFS`)"),
    landlock: held("escapes", "`EACCES`"),
    process: open(),
  },
  services: {
    tries: "reach PostgreSQL, Redis, S3, the host's loopback, private ranges, 169.254.169.254",
    bwrap: held("escapes", "own network namespace; the proxy refuses"),
    landlock: held(
      "escapes",
      "sockets are tied to the loopback device and reach only the proxy and the agent's own servers; the proxy refuses",
    ),
    process: open(),
  },
  "unix-sockets": {
    tries: "reach a service by a UNIX socket, named or abstract",
    bwrap: held("isolation", "none exist there: own mount and network namespaces"),
    landlock: held("landlock", "no UNIX sockets, only pairs"),
    process: open(),
  },
  signals: {
    tries: "send signals to other processes",
    bwrap: held("isolation", "own pid namespace"),
    landlock: held("landlock", "another user's processes"),
    process: open(),
  },
  calls: {
    tries: "trace a process, mount, load modules, make namespaces, use keys, BPF, io_uring",
    bwrap: held("system-calls", "system call filter, no capabilities, no new privileges"),
    landlock: held("system-calls", "the same"),
    process: open("the worker's own rights"),
  },
  sysctl: {
    tries: "change kernel settings in /proc/sys",
    bwrap: held("isolation", "read-only"),
    landlock: held("landlock", "cannot be opened for writing"),
    process: open("the worker's own rights"),
  },
  forks: {
    tries: "fork without end",
    bwrap: held(
      "limits",
      "control group `pids`, else counted: `too_many_processes`, also for a program that continues at the limit",
    ),
    landlock: held("limits", "the same, and `RLIMIT_NPROC` of its user at four times the limit"),
    process: open("only the turn's time limit applies"),
  },
  memory: {
    tries: "take all memory, in one process or many, or in memory that no process owns (shared, memfd, /tmp)",
    bwrap: held("limits", "control group `memory`, else counted: `out_of_memory`"),
    landlock: held("limits", "the same"),
    process: open("only each process has a limit (`RLIMIT_DATA`)"),
  },
  cpu: {
    tries: "keep all processors busy",
    bwrap: held(
      "limits",
      "the same share for each turn, and `DARI_TURN_CPUS`, by control group `cpu`; without one, a ninth of the " +
        "platform's scheduling weight for each session (`setsid`) of a sandbox; `DARI_TURN_CPU_SECONDS`: `cpu_limit`",
    ),
    landlock: held("limits", "the same"),
    process: open("the worker's priority"),
  },
  leases: {
    tries: "delay others that open a file which sandboxes share (file leases)",
    bwrap: held("system-calls", "system call filter: `EPERM`"),
    landlock: held("system-calls", "the same"),
    process: open(),
  },
  attributes: {
    tries: "pass something to another session in attributes or flags of files",
    bwrap: held("system-calls", "system call filter: `ENOTSUP`"),
    landlock: held("system-calls", "the same"),
    process: open(),
  },
  times: {
    tries: "pass something to another session in times of files",
    bwrap: held("disks", "times of kept files are set to the end of the turn"),
    landlock: held("disks", "the same"),
    process: held("disks", "the same"),
  },
  holes: {
    tries: "make the worker hash and pack gigabytes that cost the agent nothing (sparse files)",
    bwrap: held("holes", "1 GiB of holes for each turn, else `workspace_limit`"),
    landlock: held("holes", "the same"),
    process: held("holes", "the same"),
  },
  watches: {
    tries: "see that other sandboxes open a shared file (`/usr`, `/etc`), or lock such a file",
    bwrap: open("inotify and `flock` work on these files"),
    landlock: open(),
    process: open(),
  },
  disk: {
    tries: "fill the disk through its workspace or home, or through deleted files there that it still holds open",
    bwrap: held("limits", "watched, ended: `disk_full`"),
    landlock: held("limits", "the same"),
    process: open("the size is checked after the turn (`workspace_limit`)"),
  },
  tmp: {
    tries: "fill /tmp or /dev/shm",
    bwrap: held("escapes", "sized memory file systems, within the turn's memory"),
    landlock: held("escapes", "closed; `TMPDIR` is a directory of its own on the disk, within `disk_full`"),
    process: open(),
  },
  ipc: {
    tries: "leave shared memory, semaphores or queues behind",
    bwrap: held("isolation", "own ipc namespace"),
    landlock: held("system-calls", "no System V or POSIX ones can be made or used"),
    process: open(),
  },
  "huge-file": {
    tries: "write one huge file",
    bwrap: held("conformance", "`RLIMIT_FSIZE`"),
    landlock: held("conformance", "the same"),
    process: held("conformance", "the same, where `prlimit` is installed"),
  },
  "open-files": {
    tries: "open descriptors without end",
    bwrap: held("conformance", "`RLIMIT_NOFILE`"),
    landlock: held("conformance", "the same"),
    process: held("conformance", "the same, where `prlimit` is installed"),
  },
  "kernel-counts": {
    tries: "take all of what the kernel counts per user (epoll watches, descriptors in flight, pages of pipes)",
    bwrap: {
      ...held(
        "host-users",
        "a host user for each organization, if the worker can map ids ([how](decisions/0025-host-users.md))",
      ),
      needsHostUsers: true,
    },
    oci: open("agents run as the worker's user"),
    landlock: held("landlock", "a user of its own"),
    process: open(),
  },
  daemons: {
    tries: "leave a daemon behind",
    bwrap: held("conformance", "the pid namespace ends as a whole"),
    landlock: held("conformance", "every process of its user is killed, also when the worker ends"),
    process: held("conformance", "the same if a pid namespace can be made, else found by a mark"),
  },
  links: {
    tries: "lead the platform outside by symbolic or hard links",
    bwrap: held("escapes", "links are stored as links, never followed"),
    landlock: held("escapes", "the same; no hard link leads out"),
    process: open("an agent can make hard links to the host's files"),
  },
  output: {
    tries: "flood stdout",
    bwrap: held("escapes", "read to its end; the logs keep 1 MiB and say so"),
    landlock: held("escapes", "the same"),
    process: held("capture-logs", "the same"),
  },
} as const satisfies Record<string, Row>;

export type Guarantee = keyof typeof securityTable;

export function renderCell(guarantee: Guarantee, driver: TableDriver): Cell {
  const row: Row = securityTable[guarantee];
  return driver === "oci" ? (row.oci ?? row.bwrap) : row[driver];
}

/** Returns what the table says that this file proves. */
export function guaranteesOf(file: Evidence): { guarantee: Guarantee; driver: TableDriver; needsHostUsers: boolean }[] {
  const all = (Object.keys(securityTable) as Guarantee[]).flatMap((guarantee) =>
    tableDrivers.map((driver) => ({ guarantee, driver, cell: renderCell(guarantee, driver) })),
  );
  return all
    .filter(({ cell }) => cell.by === file)
    .map(({ cell, ...claim }) => ({ ...claim, needsHostUsers: cell.needsHostUsers === true }));
}

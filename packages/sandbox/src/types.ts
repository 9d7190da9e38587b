// The interface of every sandbox driver. Independent of agents, turns and the protocol on the channel.

import type { Duplex, Readable } from "node:stream";
import type { EgressOptions } from "@dari/gateway";

/** Limits of one sandbox. A driver's guarantees say what it cannot enforce. Undefined means no limit. */
export interface SandboxLimits {
  /** Data segment of each process and, if the driver can limit it, memory of the whole sandbox, in bytes. */
  readonly memoryBytes?: number;
  /** Memory that each process may reserve beyond `memoryBytes`, in bytes (default: 0). The kernel counts it as data. */
  readonly reservedBytes?: number;
  /** Processes and threads of the whole sandbox. */
  readonly processes?: number;
  /** Open file descriptors of each process. */
  readonly openFiles?: number;
  /** Largest file that a process can write, in bytes. */
  readonly fileBytes?: number;
  /** Processor time of each process, and of the whole sandbox if it is measured, in seconds. */
  readonly cpuSeconds?: number;
  /** Maximum number of processors of the whole sandbox; fractions are allowed. */
  readonly cpus?: number;
  /** Size of the private /tmp, and of /dev/shm, in bytes. */
  readonly tmpBytes?: number;
  /** What workspace and state can contain together while the program runs: bytes on the disk, and entries. */
  readonly diskBytes?: number;
  readonly diskFiles?: number;
}

export interface SandboxSpec {
  /** The interpreter, as an absolute host path, and its arguments. */
  readonly argv: readonly string[];
  /** The program's whole environment except PATH, LANG, TMPDIR (which it may set) and HOME (which it may not). */
  readonly env: Readonly<Record<string, string>>;
  /** The directory of the agent's image, read-only inside if the driver can enforce that. */
  readonly imageDir: string;
  /** Host paths that the program needs, visible read-only under the same name. */
  readonly readOnlyPaths: readonly string[];
  /**
   * One of `readOnlyPaths`, a file in `argv`. A driver with its own mounts shows the file under another path, which
   * hides the path on the host.
   */
  readonly script?: string | undefined;
  /** A new directory with `workspace/` and `state/` in it. */
  readonly slotDir: string;
  /**
   * User and group of the program on the host, if the driver's guarantees say `users: "own"` (default: this process's).
   * Both directories of the slot are given to the user, unless they already belong to it. What the program reads must
   * be readable for every user.
   */
  readonly hostUser?: number | undefined;
  /**
   * The mounts that `slotDir` is a slot of. With these, the sandbox can be started before its turn, and then claimed
   * for a turn's directory.
   */
  readonly mounts?: SlotMounts;
  /** `open`: the host's network. An egress: only what its policy allows, through a proxy in this process. */
  readonly network: "open" | "none" | EgressOptions;
  readonly limits: SandboxLimits;
  /**
   * Puts /tmp into `tmp/` of the slot, on the disk, with at most this many bytes, if the driver limits disks (default:
   * a file system in memory of `limits.tmpBytes`).
   */
  readonly diskTmpBytes?: number | undefined;
}

/** What a sandbox reports about its network, and what it asks before a request to a model. */
export type SandboxReports = Required<
  Pick<EgressOptions, "onConnection" | "onModelRequest" | "modelGate" | "findAnswerRecorder">
>;

/** What a driver guarantees on this machine. Stored with each attempt, and shown to operators. */
export interface Guarantees {
  /** Whether the program can neither read nor change anything outside its own directories. */
  readonly isolated: boolean;
  /** `rules`: the host's file system, in which rules limit what the program can open. */
  readonly filesystem: "private" | "rules" | "host";
  /**
   * The program's host user. `own`: the spec's `hostUser`. `shared`: this process's user, so the program shares the
   * kernel's per-user counts and leases on files.
   */
  readonly users: "own" | "shared";
  /** How the process tree is tracked: by a pid namespace, a user of its own, a mark in /proc, or a process group. */
  readonly processes: "namespace" | "user" | "tracked" | "group";
  /** Whether `network: "none"` and an egress policy are enforced. */
  readonly network: "enforced" | "not_enforced";
  readonly limits: {
    /** `watched`: checked several times a second, so that a program can exceed it for a moment. */
    readonly memory: "per_sandbox" | "watched" | "per_process" | "none";
    readonly processes: "per_sandbox" | "watched" | "none";
    /** How processors are limited: a maximum in use at the same time, and the same share for each sandbox. */
    readonly cpu: "per_sandbox" | "none";
    readonly openFiles: "per_process" | "none";
    readonly fileSize: "per_process" | "none";
    /** `watched`: within the limit of the disk. */
    readonly tmpSize: "per_sandbox" | "watched" | "none";
    /** Checked several times a second: a program can exceed it for a moment. */
    readonly disk: "watched" | "none";
  };
  /** Notes for operators: what is missing, its effect, and what to do. */
  readonly notes: readonly string[];
}

export interface SandboxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set if the program was never executed: the launcher's error. */
  readonly startError?: string;
}

/** Paths inside the sandbox. `input` and `output` are absent if the driver cannot offer those names. */
export interface SandboxPaths {
  readonly workspace: string;
  readonly state: string;
  readonly image: string;
  readonly input?: string;
  readonly output?: string;
}

export interface Sandbox {
  /** File descriptor 3 of the program. */
  readonly channel: Duplex;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly paths: SandboxPaths;
  /** Host pid of the outermost process. */
  readonly pid: number;
  /**
   * Never rejects. A program behind a launcher that was killed by signal n reports like one that exits with 128 + n.
   */
  readonly exited: Promise<SandboxExit>;
  /**
   * Prepares the workspace for the turn. Call it once the workspace is restored, before the program works in it.
   * `turnDir`, with `mounts` only: a directory with `workspace/` and `state/`, which replace the slot's in the running
   * sandbox. The program's working directory stays the old one until it changes to its path again.
   */
  claim(turnDir?: string): Promise<void>;
  /**
   * With `mounts` only, after a claim with a turn's directory while the program ran: takes the directory away and stops
   * the program, until the next claim. From here on, nothing in the sandbox can reach the directory. Returns the reason
   * if that is not possible; the sandbox must then be killed. `kept`: how many processes the program keeps for the next
   * turn, which are stopped with it (default: 0).
   */
  rest?(kept?: number): Promise<string | undefined>;
  /** Returns false if something in a stopped sandbox has run, until the next claim. Otherwise returns true. */
  isStill?(): Promise<boolean>;
  /**
   * Kills the whole process tree, including daemons. Resolves when all are dead. Idempotent. @throws if not possible
   */
  kill(): Promise<void>;
  /** Returns the memory in use, in bytes, without caches of files. Undefined if no control group counts it. */
  memoryBytes?(): number | undefined;
  /** Returns what the sandbox used. Call it after `kill`. */
  collect(): Promise<SandboxUsage>;
}

/**
 * A sandbox whose program has loaded an agent, and is forked for each later sandbox. The forks start with the agent
 * loaded, and share nothing else.
 */
export interface SandboxTemplate extends Pick<Sandbox, "channel" | "stdout" | "stderr" | "paths" | "exited"> {
  /**
   * Takes control of the template's program. The program waits until `tell` is called. From then on it only forks: it
   * is stopped between two forks. Each child is the first process of its sandbox and gets descriptors 1 to 3 as
   * ancillary data from the socket with the abstract name `dari`. `threads`: how many threads it has besides the first
   * one; they are stopped while they wait, and no child has them (default: 0). Resolves with the reason as text if it
   * cannot be a template. Call it once.
   */
  hold(tell: () => void, threads?: number): Promise<string | undefined>;
  /**
   * Forks a sandbox into its own slot. Call it after `hold`. The template makes one fork after the other.
   * @throws SandboxStartError; no other can be forked then. LateForkError: the slot is still in use
   */
  fork(o: Pick<SandboxSpec, "slotDir" | "mounts"> & Partial<SandboxReports>): Promise<Sandbox>;
  /** Kills it and all its forks. Resolves when all are dead. Idempotent. */
  kill(): Promise<void>;
}

/** The limit that was exceeded. `tmp`: the limit of a /tmp on the disk. */
export type Exceeded = "memory" | "processes" | "disk" | "tmp" | "cpu";

export interface SandboxUsage {
  /** The exceeded limit: the program was ended for it, or was refused more. */
  readonly exceeded?: Exceeded | undefined;
  readonly peakMemoryBytes?: number | undefined;
}

export type DriverName = "process" | "landlock" | "oci" | "bwrap";

export type ProbeResult =
  { readonly ok: true; readonly guarantees: Guarantees } | { readonly ok: false; readonly reason: string };

export interface SandboxDriver {
  /** The driver's name in settings, logs and advice. The four fields below say what the driver can do. */
  readonly name: DriverName;
  /** Whether `prepareTemplate` can return a template. Only a try shows whether this machine allows it. */
  readonly canFork: boolean;
  /** Whether its sandboxes have `rest`, and can serve several turns of one session. */
  readonly canRest: boolean;
  /** Whether a directory can be mounted into a running sandbox. `openSlotMounts` tries it on this machine. */
  readonly canMountWhileRunning: boolean;
  /**
   * Whether the driver picks a host user for each sandbox itself and ignores `hostUser`. The user must own the files of
   * the workspace, so an overlay would copy each file.
   */
  readonly picksHostUser: boolean;
  /** Tests the driver with a real sandbox. The result is cached. */
  probe(): Promise<ProbeResult>;
  /** Starts the program. Throws SandboxStartError if it cannot be started. */
  prepare(spec: SandboxSpec): Promise<Sandbox>;
  /**
   * Starts a program to fork sandboxes from. Resolves to undefined if this machine or this driver cannot fork, or if
   * the sandbox has the host's network. Throws SandboxStartError if the program cannot be started.
   */
  prepareTemplate(spec: SandboxSpec): Promise<SandboxTemplate | undefined>;
  /**
   * Ends processes that are ready for the next sandbox. Resolves when everything that ended sandboxes have left is
   * cleaned up. Does not end running sandboxes. Idempotent.
   */
  close?(): Promise<void>;
}

/** A sandbox could not be started. The message says what to change. */
export class SandboxStartError extends Error {
  override readonly name = "SandboxStartError";
}

/** A template did not answer in time. Its other forks continue to run. */
export class LateForkError extends SandboxStartError {
  /**
   * Resolves once nothing uses the slot: a child that was forked late has been killed, or the template has ended. It
   * may never resolve before the template is killed. Rejects if the child cannot be killed.
   */
  readonly settled: Promise<void>;

  constructor(message: string, settled: Promise<void>) {
    super(message);
    this.settled = settled;
  }
}

/** Creates and removes folders. */
export interface FolderMaker {
  /**
   * Creates a folder, or rejects with the system's `code`. `owner`: user and group (default: this process's). Does not
   * follow links.
   */
  makeFolder(path: string, owner: number | undefined): Promise<void>;
  /** Removes an empty folder. Rejects if there is none. */
  removeFolder(path: string): Promise<void>;
}

/** Slots into which a turn's directories can be mounted while the sandbox runs. */
export interface SlotMounts extends FolderMaker {
  /**
   * Creates a slot and returns its absolute path: a directory with an empty `workspace/` and `state/`. `owner`: user
   * and group of both (default: this process's).
   */
  make(name: string, owner?: number): Promise<string>;
  /** Returns the path of the slot with this name, whether it exists or not. */
  pathOf(name: string): string;
  /** Returns false if something was written to the slot, which `attach` would hide. */
  isUntouched(slotDir: string): Promise<boolean>;
  /**
   * Returns whether the slot is as it was created: contents, modes and attributes. Otherwise the next program would
   * find the changes.
   */
  isAsMade(slotDir: string): Promise<boolean>;
  /** Mounts `workspace/` and `state/` of `turnDir` over those of the slot, also for its sandbox. */
  attach(turnDir: string, slotDir: string): Promise<void>;
  /** Returns paths to what `attach` hides: a program that opened its directory earlier still writes there. */
  hiddenBy(slotDir: string): readonly string[];
  /**
   * Undoes `attach` if nothing in the sandbox uses what was attached: no working directory, descriptor (also in flight
   * between processes) or mapping. The kernel decides, in the sandbox and here at once. Returns false if something
   * does; one of the two may then be undone, and `detach` is for the rest.
   */
  leave(slotDir: string): Promise<boolean>;
  /** Undoes `attach`, if there was one. The next call retries what could not be undone. */
  detach(slotDir: string): Promise<void>;
  /** Rejects, and removes nothing, if something is still mounted in the slot: it is a workspace. */
  remove(slotDir: string): Promise<void>;
  /** Call it once no slot is in use. */
  close(): Promise<void>;
}

// The one interface of every sandbox driver. Knows nothing of agents, turns or the protocol on the channel.

import type { Duplex, Readable } from "node:stream";
import type { EgressOptions } from "./egress/traffic.ts";

/** Bounds of one sandbox. What a driver cannot enforce it says in its guarantees; undefined means no bound. */
export interface SandboxLimits {
  /** Data segment of each process, and where the driver can bound it, memory of the whole sandbox; bytes. */
  readonly memoryBytes?: number;
  /** Processes and threads of the whole sandbox. */
  readonly processes?: number;
  /** Open file descriptors of each process. */
  readonly openFiles?: number;
  /** Largest file a process may write, bytes. */
  readonly fileBytes?: number;
  /** Processor time of each process, and of the whole sandbox where it is looked at; seconds. */
  readonly cpuSeconds?: number;
  /** Processors that the whole sandbox may keep busy; fractions count. */
  readonly cpus?: number;
  /** Size of the private /tmp, and of /dev/shm, bytes. */
  readonly tmpBytes?: number;
  /** What workspace and state may hold together while the program runs: bytes on the disk, and entries. */
  readonly diskBytes?: number;
  readonly diskFiles?: number;
}

export interface SandboxSpec {
  /** [interpreter, ...arguments]; the interpreter is an absolute host path. */
  readonly argv: readonly string[];
  /** The program's whole environment apart from PATH, LANG, TMPDIR (which it may set) and HOME (which it may not). */
  readonly env: Readonly<Record<string, string>>;
  /** Read-only inside, where the driver can enforce it. */
  readonly imageDir: string;
  /** Host paths that the program needs to run, visible read-only under the same name. */
  readonly readOnlyPaths: readonly string[];
  /**
   * One of them, a file that argv names: a driver with its own mounts shows it under a path of its own, so that nothing
   * of where it lies on the host is seen.
   */
  readonly script?: string | undefined;
  /** A fresh directory with `workspace/` and `state/` in it. */
  readonly slotDir: string;
  /**
   * The user and group of the host that the program runs as, where the driver's guarantees say `users: "own"`; default:
   * this process's. Both directories of the slot become the user's, unless they are already. What the program reads
   * must be readable for every user.
   */
  readonly hostUser?: number | undefined;
  /** Given where `slotDir` is a slot of these: the sandbox may be started before its turn, and claimed for a turn's. */
  readonly mounts?: SlotMounts;
  /** `open`: the host's network. An egress: nothing but what its policy allows, by way of a proxy in this process. */
  readonly network: "open" | "none" | EgressOptions;
  readonly limits: SandboxLimits;
  /**
   * Puts /tmp into `tmp/` of the slot, on the disk, with at most so many bytes, where the driver bounds disks.
   * Default: a file system in memory of `limits.tmpBytes`.
   */
  readonly diskTmpBytes?: number | undefined;
}

/** What a driver really gives on this machine; stored with the turn, shown to operators. */
export interface Guarantees {
  /** True when the program can neither read nor change anything outside its own directories. */
  readonly isolated: boolean;
  /** `rules`: the host's, of which only its own directories and what it needs to run can be opened. */
  readonly filesystem: "private" | "rules" | "host";
  /**
   * Whose user of the host the program is: `own` takes the spec's `hostUser`, `shared` is this process's user, whom the
   * kernel's counts per user and leases on files are shared with.
   */
  readonly users: "own" | "shared";
  /** How the process tree is held: a pid namespace, a user of its own, a mark searched for in /proc, or a group. */
  readonly processes: "namespace" | "user" | "tracked" | "group";
  /** Whether `network: "none"` and an egress policy are enforced. */
  readonly network: "enforced" | "not_enforced";
  readonly limits: {
    /** `watched`: looked at several times a second, so that a program may be over it for a moment. */
    readonly memory: "per_sandbox" | "watched" | "per_process" | "none";
    readonly processes: "per_sandbox" | "watched" | "none";
    /** How processors are limited: a bound on those busy at once, and the same share for each sandbox. */
    readonly cpu: "per_sandbox" | "none";
    readonly openFiles: "per_process" | "none";
    readonly fileSize: "per_process" | "none";
    /** `watched`: within the bound of the disk. */
    readonly tmpSize: "per_sandbox" | "watched" | "none";
    /** Looked at several times a second: a program may be over it for a moment. */
    readonly disk: "watched" | "none";
  };
  /** Sentences for a person: what is missing, and why. */
  readonly notes: readonly string[];
}

export interface SandboxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when the program was never executed: what the launcher said. */
  readonly startError?: string;
}

/** Paths as the program sees them. `input` and `output` are absent where the driver cannot offer those names. */
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
  /** Never rejects. A program ended by signal n behind a launcher reports like one that exits with 128 + n. */
  readonly exited: Promise<SandboxExit>;
  /**
   * Makes the workspace ready for the turn. Call it once the workspace is restored, before the program works in it.
   * `turnDir`, with `mounts` only: a directory with `workspace/` and `state/`, which take the place of the slot's in
   * the running sandbox; the program's working directory stays the one below until it changes to its path again.
   */
  claim(turnDir?: string): Promise<void>;
  /**
   * With `mounts` only, after a claim for a turn's directory that was made once the program ran: takes the directory
   * away again and stops the program, which the next claim lets go on. From here on nothing of the sandbox can reach
   * the directory, whatever it does. Answers why that cannot be done, and the sandbox must be killed then.
   * `kept`: how many processes the program keeps for the next turn; they are stopped with it. Default 0.
   */
  rest?(kept?: number): Promise<string | undefined>;
  /** False from when something of it runs that has come to rest, until the next claim. Otherwise true. */
  isStill?(): Promise<boolean>;
  /** Resolves when the whole process tree is dead, daemons included. Idempotent. Throws when it cannot be killed. */
  kill(): Promise<void>;
  /** What the sandbox used; meaningful after `kill`. */
  collect(): Promise<SandboxUsage>;
}

/**
 * A sandbox whose program has loaded something once, and is forked for each sandbox to come: those have it loaded from
 * the start, and nothing else in common.
 */
export interface SandboxTemplate extends Pick<Sandbox, "channel" | "stdout" | "stderr" | "paths" | "exited"> {
  /**
   * Holds its program, which waits until `tell` is called, and must fork then and at nothing else: it runs no further
   * than from one fork to the next. Each child is the first process of its sandbox and gets descriptors 1 to 3 as
   * ancillary data from the socket with the abstract name `dari`. Text: why it cannot be a template. Called once.
   */
  hold(tell: () => void): Promise<string | undefined>;
  /**
   * A sandbox in a slot of its own, once it is held; one after the other.
   * @throws SandboxStartError, and no other can be forked then
   */
  fork(o: Pick<SandboxSpec, "slotDir" | "mounts"> & Pick<EgressOptions, "onConnection">): Promise<Sandbox>;
  /** Ends it, and all that were forked. Resolves when nothing of it is alive. Idempotent. */
  kill(): Promise<void>;
}

/** `tmp`: a /tmp on the disk. */
export type Exceeded = "memory" | "processes" | "disk" | "tmp" | "cpu";

export interface SandboxUsage {
  /** The bound that was hit: by a program that was ended for it, or by one that was refused more. */
  readonly exceeded?: Exceeded | undefined;
  readonly peakMemoryBytes?: number | undefined;
}

export type DriverName = "process" | "landlock" | "oci" | "bwrap";

export type ProbeResult =
  { readonly ok: true; readonly guarantees: Guarantees } | { readonly ok: false; readonly reason: string };

export interface SandboxDriver {
  /** For settings, logs and advice. What a driver can do is in the four fields below. */
  readonly name: DriverName;
  /** Whether `prepareTemplate` can return a template. Whether this machine allows it is known only when it is tried. */
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
  /** Tries the driver for real; the answer is remembered. */
  probe(): Promise<ProbeResult>;
  /** Starts the program. Throws SandboxStartError when it cannot be started. */
  prepare(spec: SandboxSpec): Promise<Sandbox>;
  /**
   * Starts a program to fork sandboxes from. Resolves to undefined if this machine or this driver cannot fork, or if
   * the sandbox has the host's network. Throws SandboxStartError if the program cannot be started.
   */
  prepareTemplate(spec: SandboxSpec): Promise<SandboxTemplate | undefined>;
  /**
   * Ends what waits for the next sandbox, and resolves when what sandboxes have left is tidied up. Those that run are
   * their owners'. Idempotent.
   */
  close?(): Promise<void>;
}

/** A sandbox could not be started; the message says what to change. */
export class SandboxStartError extends Error {
  override readonly name = "SandboxStartError";
}

/** What a driver needs to give a running sandbox its turn's directories. */
export interface SlotMounts {
  /**
   * Makes a slot: an absolute path to a directory with an empty `workspace/` and `state/` in it. `owner`: user and
   * group of both; default: this process's.
   */
  make(name: string, owner?: number): Promise<string>;
  /** Where a slot of this name is or will be. */
  pathOf(name: string): string;
  /** False when something was written to the slot; `attach` would hide it. */
  isUntouched(slotDir: string): Promise<boolean>;
  /**
   * True when nothing is in the slot and nothing was done to it since it was made, also to modes and attributes: what
   * one program leaves there the next one would find.
   */
  isAsMade(slotDir: string): Promise<boolean>;
  /** `workspace/` and `state/` of `turnDir` lie over those of the slot, also for its sandbox. */
  attach(turnDir: string, slotDir: string): Promise<void>;
  /** Paths to what `attach` hides: a program that kept its directory from before still writes there. */
  hiddenBy(slotDir: string): readonly string[];
  /**
   * Undoes `attach` where nothing in the sandbox uses what was attached any more: no working directory, descriptor
   * (also one on its way between processes) or mapping. The kernel says so, in the sandbox and here at once. False:
   * something does, and one of the two may be undone; `detach` is for the rest.
   */
  leave(slotDir: string): Promise<boolean>;
  /** Undoes `attach`, where there was one. Whatever could not be undone is tried again by the next call. */
  detach(slotDir: string): Promise<void>;
  /** Rejects, and removes nothing, where something is still mounted in the slot: it is somebody's workspace. */
  remove(slotDir: string): Promise<void>;
  /** No slot may be in use. */
  close(): Promise<void>;
}

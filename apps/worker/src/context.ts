// What a worker's parts are given. Assembled once in main.

import type { BuildEgress, ImageCache, Runtimes } from "@dari/builder";
import type { Sealer } from "@dari/control/context";
import type { JobRetry, PromotedJob, RetriedJob } from "@dari/control/operations";
import type { BuildContext } from "@dari/control/publishing";
import type { WorkspaceContext } from "@dari/control/storage";
import type { FinishContext } from "@dari/control/turns";
import type { EgressPolicy } from "@dari/network";
import type { Guarantees, SandboxDriver } from "@dari/sandbox";
import type { Previews } from "@dari/domain";
import type { Logger } from "@dari/runtime";
import type { GuestScript, Room, WarmPool, SlotDirectories } from "@dari/sandbox-pool";
import type { Missing } from "./missing.ts";

export interface WorkerSettings {
  readonly workerId: string;
  readonly pool: string;
  /** Turns at once: as many as were asked for and as there is memory for. */
  readonly slots: number;
  /** Whether there is memory for one more turn now. */
  readonly hasRoom: () => boolean;
  /** What memory is free now and what one more turn needs: for whoever reads why no turn starts. */
  readonly room: () => Room;
  /** Called when only another process in place of this one may help. */
  readonly giveUp: (reason: string) => void;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Milliseconds a worker that shuts down lets its turns go on before it gives them back. */
  readonly graceMs: number;
  /** When it aborts, a worker that shuts down gives its turns back at once. */
  readonly stopNow?: AbortSignal | undefined;
  /** First backoff between attempts, milliseconds. */
  readonly backoffFirstMs: number;
  /** Memory of each process of a turn, bytes. */
  readonly turnMemoryBytes: number;
  /** Processes and threads of a turn, and what its workspace may hold while it runs, bytes. */
  readonly turnProcesses: number;
  readonly turnDiskBytes: number;
  /** Processors that a turn may keep busy, and its processor time in seconds. */
  readonly turnCpus: number | undefined;
  readonly turnCpuSeconds: number | undefined;
  /** How long a sandbox waits for the next turn of its session, where its agent asks for that; 0: none does. */
  readonly sessionIdleMs: number;
  /** Whether agents are loaded once and forked for each turn, where that can be. */
  readonly usesTemplates: boolean;
  /** What agents may connect to. */
  readonly egress: EgressPolicy;
  /** Versions that are built at once. */
  readonly buildSlots: number;
  /** What the installers of builds may reach. */
  readonly buildEgress: BuildEgress;
  /** Holds the directories of running turns and builds; emptied at start. */
  readonly workDir: string;
}

export interface WorkerContext extends FinishContext, BuildContext {
  readonly previews: Previews;
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly workspaces: WorkspaceContext;
  readonly driver: SandboxDriver;
  /** See `findMissing`. */
  readonly missing?: readonly Missing[];
  /** DARI_MINIMUM_ISOLATION, for `dari doctor`. */
  readonly minimumIsolation?: string;
  readonly guarantees: Guarantees;
  /** Absent: each turn starts its own sandbox. */
  readonly warm?: WarmPool | undefined;
  readonly guestScript: GuestScript;
  readonly images: ImageCache;
  readonly slots: SlotDirectories;
  readonly runtimes: Runtimes;
  /** Carries out an operator's retry of a failed job. */
  readonly retryJob: (job: RetriedJob) => Promise<JobRetry>;
  /** Carries out an operator's promotion of a delayed job; answers whether its retry is due now. */
  readonly promoteJob: (job: PromotedJob) => Promise<boolean>;
  readonly settings: WorkerSettings;
}

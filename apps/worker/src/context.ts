// The context that all parts of a worker share.

import type { BuildEgress, ImageCache, Runtimes } from "@dari/builder";
import type { Sealer } from "@dari/control/context";
import type { JobRetry, PromotedJob, RetriedJob } from "@dari/control/operations";
import type { BuildContext } from "@dari/control/publishing";
import type { WorkspaceContext } from "@dari/control/storage";
import type { FinishContext, Turn } from "@dari/control/turns";
import type { EgressPolicy } from "@dari/network";
import type { Guarantees } from "@dari/sandbox";
import type { Previews } from "@dari/domain";
import type { Logger } from "@dari/runtime";
import type { AgentContext, AgentSettings, SandboxPool, TurnDirectories, TurnMemory } from "@dari/sandbox-pool";
import type { MissingCapability } from "./capacity/find-missing-capabilities.ts";

/** The worker's settings as its parts use them. */
export interface WorkerSettings extends AgentSettings {
  readonly workerId: string;
  readonly pool: string;
  /** Maximum number of concurrent turns: the configured number, or what the machine can hold. */
  readonly slots: number;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** How long running turns may continue at shutdown before they are released, in milliseconds. */
  readonly graceMs: number;
  /** Aborts if the worker must release its turns at once at shutdown. */
  readonly stopNow?: AbortSignal | undefined;
  /** Called when the worker cannot recover without a restart. */
  readonly giveUp: (reason: string) => void;
  /** First backoff between attempts, in milliseconds. */
  readonly backoffFirstMs: number;
  /** What agents can connect to. */
  readonly egress: EgressPolicy;
  /** Maximum number of concurrent builds. */
  readonly buildSlots: number;
  /** What the installers of builds can connect to. */
  readonly buildEgress: BuildEgress;
  /** The parent of the directories of running turns and builds. It is emptied when the worker starts. */
  readonly workDir: string;
}

/** Created by `assembleWorker`. */
export interface WorkerContext extends FinishContext, BuildContext, AgentContext<Turn> {
  readonly previews: Previews;
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly workspaces: WorkspaceContext;
  readonly guarantees: Guarantees;
  /** See `findMissingCapabilities`. */
  readonly missing?: readonly MissingCapability[];
  /** The value of DARI_MINIMUM_ISOLATION, which `dari doctor` shows. */
  readonly minimumIsolation?: string;
  readonly turnMemory: TurnMemory;
  /** Whether processors are busy, so that an organization gets few turns. Without it, the slots bound them. */
  readonly areProcessorsBusy?: (() => boolean) | undefined;
  /** Absent: each turn starts its own sandbox. */
  readonly pool?: SandboxPool | undefined;
  readonly images: ImageCache;
  readonly turnDirectories: TurnDirectories;
  readonly runtimes: Runtimes;
  /** Retries a failed job for an operator. */
  readonly retryJob: (job: RetriedJob) => Promise<JobRetry>;
  /** Promotes a delayed job for an operator. Returns whether its retry is due now. */
  readonly promoteJob: (job: PromotedJob) => Promise<boolean>;
  readonly settings: WorkerSettings;
}

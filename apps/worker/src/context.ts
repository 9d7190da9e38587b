// What a worker's parts are given. Assembled once in main.

import type { ImageCache, Runtimes } from "@dari/builder";
import type { FinishContext, Sealer, WorkspaceContext, BuildContext } from "@dari/control";
import type { Guarantees, SandboxDriver } from "@dari/sandbox";
import type { Logger } from "@dari/runtime";

export interface WorkerSettings {
  readonly workerId: string;
  readonly pool: string;
  /** Turns at once. */
  readonly slots: number;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Milliseconds a worker that shuts down lets its turns go on before it gives them back. */
  readonly graceMs: number;
  /** First backoff between attempts, milliseconds. */
  readonly backoffFirstMs: number;
  /** Memory of each process of a turn, bytes. */
  readonly turnMemoryBytes: number;
  /** Holds the directories of running turns and builds; emptied at start. */
  readonly workDir: string;
}

export interface WorkerContext extends FinishContext, BuildContext {
  readonly log: Logger;
  readonly sealer: Sealer;
  readonly workspaces: WorkspaceContext;
  readonly driver: SandboxDriver;
  readonly guarantees: Guarantees;
  readonly images: ImageCache;
  readonly runtimes: Runtimes;
  readonly settings: WorkerSettings;
}

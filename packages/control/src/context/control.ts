// What every operation gets: the services of this process, created once by `@dari/control/assembly`.

import type { BlobStore } from "@dari/blobs";
import type { Database } from "@dari/db";
import type { Admission, Log, Notifier, TurnDelivery } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";
import type { ScratchSpace } from "@dari/runtime";
import type {
  Backlog,
  RateLimiter,
  ReceiverPolicy,
  Sealer,
  SessionFeeds,
  StreamLimiter,
  SnapshotTrees,
} from "./services.ts";

export interface TurnBounds {
  readonly memoryMaxBytes: number;
  readonly cpusMax: number | undefined;
}

export interface Control {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly sealer: Sealer;
  readonly trees: SnapshotTrees;
  readonly notifier: Notifier;
  readonly delivery: TurnDelivery;
  /** Undefined without Redis. */
  readonly queue?: Pick<TurnQueue, "counts" | "server"> | undefined;
  readonly admission: Admission;
  readonly backlog: Backlog;
  readonly rates: RateLimiter;
  /** The events that this process's open streams read, and the limits on streams. */
  readonly feeds: SessionFeeds;
  readonly streams: StreamLimiter;
  /** Temporary directories on this machine's disk. */
  readonly scratch: ScratchSpace;
  readonly log: Log;
  /** Whose admin keys can create organizations. */
  readonly organizationCreation: "operators" | "anyone";
  /** What agents can ask for in dari.yml (default: no bound but the manifest's own). */
  readonly turnBounds?: TurnBounds | undefined;
  /** The address of the API for clients, without a trailing slash. Upload URLs start with it. */
  readonly publicUrl: string;
  /** Which private addresses webhooks can be sent to (default: none). */
  readonly webhookReceivers?: ReceiverPolicy | undefined;
  /** Signs upload URLs, session tokens and other things that clients hold. What is signed begins with its purpose. */
  readonly urlSigningKey: Buffer;
}

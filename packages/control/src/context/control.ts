// What every verb of the control plane gets: the services of this process, assembled once by `@dari/control/assembly`.

import type { BlobStore } from "@dari/blobs";
import type { Database } from "@dari/db";
import type { Admission, Log, Notifier, TurnDelivery } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";
import type { ScratchSpace } from "@dari/runtime";
import type { Backlog, RateLimiter, ReceiverPolicy, Sealer, SessionFeeds, StreamGate, Trees } from "./services.ts";

export interface Control {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly sealer: Sealer;
  readonly trees: Trees;
  readonly notifier: Notifier;
  readonly delivery: TurnDelivery;
  /** Undefined without Redis. */
  readonly queue?: Pick<TurnQueue, "counts" | "server"> | undefined;
  readonly admission: Admission;
  readonly backlog: Backlog;
  readonly rates: RateLimiter;
  /** What this process's open streams watch, and how many there may be. */
  readonly feeds: SessionFeeds;
  readonly streams: StreamGate;
  /** Directories on this machine's disk. */
  readonly scratch: ScratchSpace;
  readonly log: Log;
  /** Whose admin keys may create organizations. */
  readonly organizationCreation: "operators" | "anyone";
  /** Where clients reach the API, without a trailing slash; upload URLs are built on it. */
  readonly publicUrl: string;
  /** Which receivers of webhooks may be private; absent: none. */
  readonly webhookReceivers?: ReceiverPolicy | undefined;
  /** Signs upload URLs. */
  readonly urlSigningKey: Buffer;
}

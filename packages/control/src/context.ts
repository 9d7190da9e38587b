// What every verb of the control plane is given. Assembled once per process in an app's main.

import type { BlobStore } from "@dari/blobs";
import type { Role } from "@dari/contract";
import type { Database, KeyRates } from "@dari/db";
import type { Admission, Log, Notifier, TurnDelivery } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";
import type { Backlog } from "./dispatch/backlog.ts";
import type { RateLimiter } from "./limits/rate-limiter.ts";
import type { ScratchRoom } from "@dari/runtime";
import type { SessionFeeds } from "./streams/session-feeds.ts";
import type { StreamGate } from "./streams/stream-gate.ts";
import type { Sealer } from "./sealer.ts";
import type { ReceiverPolicy } from "./webhooks/receivers.ts";
import type { Trees } from "./workspaces/trees.ts";

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
  /** Room on this machine's disk. */
  readonly scratch: ScratchRoom;
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

/** Who calls a verb. Every query is scoped by its organization. */
export interface Actor {
  readonly organizationId: string;
  /** Of the key, or of the sign-in that stands in its place. */
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** The person: by a sign-in, or by the key of its device; undefined: the organization's own key. */
  readonly person?: Person | undefined;
  /** How the person signed in with the browser that calls; undefined: the call shows a key. */
  readonly signInMethod?: "link" | "oidc" | undefined;
  /** Whether it may make, change and remove owners, as far as its scopes go; absent: yes. */
  readonly managesOwners?: boolean | undefined;
  /** What its key may send in a while; undefined: no bound of its own. */
  readonly rates?: KeyRates | undefined;
  /** Of the call, for the record of changes; undefined outside of one. */
  readonly requestId?: string | undefined;
}

/** The member behind a call, with the role at the time of the call. */
export interface Person {
  readonly memberId: string;
  readonly role: Role;
}

// Interfaces of the services in `Control` that a higher area implements, so that every area can use them.

import type { EventRecord } from "@dari/contract";
import type { Database, RateKind } from "@dari/db";
import type { Listeners, Preview } from "@dari/domain";
import type { EgressPolicy } from "@dari/network";
import type { Tree } from "@dari/workspace";
import type { Actor } from "./actor.ts";

export interface Sealer {
  /** Identifies the current master key without revealing anything about it: 16 hex digits. */
  readonly keyId: string;
  /** The first bytes of every value that is sealed under the current key. */
  readonly currentPrefix: Buffer;
  seal(plaintext: string, context: SealContext): Buffer;
  /**
   * @throws Error with the key's id if this process does not have the key, or `context` differs from the one at
   *   sealing.
   */
  open(sealed: Buffer, context: SealContext): string;
  /** Like `seal`, for bytes that are no text. */
  sealBytes(plain: Uint8Array, context: SealContext): Buffer;
  /** Like `open`, for bytes that are no text. */
  openBytes(sealed: Buffer, context: SealContext): Buffer;
  /** Returns the same hex text for the same input. Guesses cannot be tested without the master key. */
  fingerprint(text: string): string;
}

/** Binds a sealed value to its row: a copy under another organization or name cannot be decrypted. */
export interface SealContext {
  readonly organizationId: string;
  readonly name: string;
}

export interface RateLimiter {
  /**
   * Takes `amount` from the rates of the caller's organization and key: all of it, or nothing. A negative amount gives
   * back. Rejects with the database's errors.
   */
  take(actor: Actor, kind: RateKind, amount: number): Promise<RateDecision>;
}

export interface RateDecision {
  readonly granted: boolean;
  /** Empty if the caller has no rate limits. */
  readonly standings: RateLimitState[];
}

/** One rate limit, as it is after a call. */
export interface RateLimitState {
  readonly of: "organization" | "key";
  readonly kind: RateKind;
  readonly quota: number;
  /** Length of the window, in seconds. */
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until the window ends. */
  readonly resetSeconds: number;
}

export interface Backlog {
  /**
   * Reserves room in the backlog before messages are accepted: for all of them, or none. `count`: default 1.
   * @throws AppError `limit_exceeded` if the organization would exceed its backlog limit.
   */
  admit(db: Database, organizationId: string, count?: number): Promise<void>;
}

export interface SnapshotTrees {
  /**
   * Returns the tree of a snapshot, and how far away its newest full manifest is. `null`: a session without a snapshot.
   */
  load(organizationId: string, snapshotId: string | null): Promise<LoadedTree>;
  /** Caches a tree that was just saved, so that the session's next turn does not read it. */
  remember(snapshotId: string, loaded: LoadedTree): void;
  /** Returns the same trees, where those not in the cache are read through another view of the database. */
  readBy(db: Database): SnapshotTrees;
}

export interface LoadedTree {
  readonly tree: Tree;
  /** Snapshots since the newest full manifest. 0 for a full one, and without a snapshot. */
  readonly deltaDepth: number;
}

export interface SessionFeeds {
  /**
   * Returns the feed of an existing session until `release` is called, or undefined if the organization has no such
   * session. `db`: limited to the actor's organization. `onRevoked` is called when the actor's key becomes invalid.
   */
  watch(db: Database, actor: Actor, sessionId: string, onRevoked: () => void): Promise<WatchedSession | undefined>;
}

export interface WatchedSession {
  readonly feed: SessionFeed;
  release(): void;
}

export interface SessionFeed {
  /** The number of the newest event that this process has read. */
  readonly lastNumber: number;
  /** False after the session was deleted. */
  readonly exists: boolean;
  /** Returns the events after a number, or undefined if they must be read from the database. */
  recentAfter(sequenceNumber: number): readonly EventRecord[] | undefined;
  /** Reads new events. Concurrent calls share one query. */
  look(): Promise<void>;
  /** Drops events that were read before a time of `performance.now()`. Later reads go to the database. */
  forget(before: number): void;
  markDeleted(): void;
  readonly changes: Listeners<void>;
  readonly previews: Listeners<PositionedPreview>;
  takePreview(preview: Preview): void;
}

/** A preview, and the number of the event that it follows. */
export interface PositionedPreview {
  readonly preview: Preview;
  readonly afterSequenceNumber: number;
}

export interface StreamLimiter {
  /** @throws AppError `limit_exceeded` if the organization, or its session token, has its maximum of streams. */
  check(organizationId: string, tokenId?: string): void;
  /**
   * Counts one stream, also above the limit, for a stream that was already promised. Returns the function that ends it.
   */
  take(organizationId: string, tokenId?: string): () => void;
  /**
   * Counts bytes that wait for a slow reader until the returned function is called. Returns undefined if too many
   * already wait: disconnect the reader.
   */
  hold(organizationId: string, bytes: number): (() => void) | undefined;
  /**
   * Counts bytes that streams keep of what they have shown, until the returned function is called. Returns undefined if
   * too many are kept already: end the stream.
   */
  keep(organizationId: string, bytes: number): (() => void) | undefined;
}

/** All public addresses are allowed. `rules` name private ones, and those that may be called without TLS. */
export type ReceiverPolicy = EgressPolicy;

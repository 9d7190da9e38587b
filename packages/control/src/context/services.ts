// Interfaces of the services in `Control` that a higher area implements, so that every area can use them.

import type { EventRecord } from "@dari/contract";
import type { Database, RateKind } from "@dari/db";
import type { Listeners, Preview } from "@dari/domain";
import type { EgressPolicy } from "@dari/network";
import type { Tree } from "@dari/workspace";
import type { Actor } from "./actor.ts";

export interface Sealer {
  /** Names the current master key without telling anything of it: 16 hex digits. */
  readonly keyId: string;
  /** With what a value begins that is sealed under the current key. */
  readonly currentPrefix: Buffer;
  seal(plaintext: string, context: SealContext): Buffer;
  /** Throws, with the id of the key it is under, when that is none of this process's or the place is another. */
  open(sealed: Buffer, context: SealContext): string;
  /** Equal for equal texts (hex); without the master key nobody can try out what the text may have been. */
  fingerprint(text: string): string;
}

/** Binds a sealed value to its place, so that a row copied to another organization or name does not open. */
export interface SealContext {
  readonly organizationId: string;
  readonly name: string;
}

export interface RateLimiter {
  /**
   * Takes `amount` from what the caller's organization and key have left: all of it or nothing. Below zero: gives back.
   * Rejects as the database does.
   */
  take(actor: Actor, kind: RateKind, amount: number): Promise<RateDecision>;
}

export interface RateDecision {
  readonly granted: boolean;
  /** Empty where nothing bounds the caller. */
  readonly standings: RateStanding[];
}

/** One bound as it stands after a call. */
export interface RateStanding {
  readonly of: "organization" | "key";
  readonly kind: RateKind;
  readonly quota: number;
  /** Length of the window. Seconds. */
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until the window has passed. */
  readonly resetSeconds: number;
}

export interface Backlog {
  /**
   * Counts messages in before they are accepted: all of them or none. `count`: one when absent.
   * @throws AppError `limit_exceeded` when the organization is at its bound, or would be past it.
   */
  admit(db: Database, organizationId: string, count?: number): Promise<void>;
}

export interface Trees {
  /** The tree of a snapshot, and how far its newest full manifest is. `null`: a session without a snapshot. */
  load(organizationId: string, snapshotId: string | null): Promise<LoadedTree>;
  /** Keeps what was just saved, so that the session's next turn need not read it. */
  remember(snapshotId: string, loaded: LoadedTree): void;
  /** The same trees, where those that are not kept are read through another view of the database. */
  readBy(db: Database): Trees;
}

export interface LoadedTree {
  readonly tree: Tree;
  /** Snapshots since the newest full manifest; 0 for a full one and for no snapshot. */
  readonly deltaDepth: number;
}

export interface SessionFeeds {
  /**
   * The feed of a session that exists, until `release` is called; undefined when the organization has no such session.
   * `db`: as a call of the actor's sees it. `onRevoked` is called when the actor's key is not good any more.
   */
  watch(db: Database, actor: Actor, sessionId: string, onRevoked: () => void): Promise<WatchedSession | undefined>;
}

export interface WatchedSession {
  readonly feed: SessionFeed;
  release(): void;
}

export interface SessionFeed {
  /** The newest event known here. */
  readonly lastNumber: number;
  /** False once the session was deleted. */
  readonly exists: boolean;
  /** Events after a number, or undefined when they must be read from the ledger. */
  recentAfter(sequenceNumber: number): readonly EventRecord[] | undefined;
  /** Looks for new events; calls at the same time share one reading. */
  look(): Promise<void>;
  /** Drops the events that were read before a moment of `performance.now()`. Later readers read the database. */
  forget(before: number): void;
  markDeleted(): void;
  readonly changes: Listeners<void>;
  readonly previews: Listeners<PlacedPreview>;
  takePreview(preview: Preview): void;
}

/** A preview, and the number of the event after which it belongs. */
export interface PlacedPreview {
  readonly preview: Preview;
  readonly afterSequenceNumber: number;
}

export interface StreamGate {
  /** @throws AppError `limit_exceeded` when one more stream of the organization is too many. */
  check(organizationId: string): void;
  /** Takes a place, also where none is left: for a stream that was promised. Returns the way out. */
  take(organizationId: string): () => void;
  /**
   * Counts bytes that wait for a slow reader until the returned function is called; undefined when too many wait
   * already, and the reader is to be cut off.
   */
  hold(organizationId: string, bytes: number): (() => void) | undefined;
}

/** Every public address; `rules` name private ones, and those that may be reached without TLS. */
export type ReceiverPolicy = EgressPolicy;

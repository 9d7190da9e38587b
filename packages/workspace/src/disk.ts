// The interface of disks, which each kind implements. A disk is a session's directory on this machine.

import type { BlobStore } from "@dari/blobs";
import type { Tree } from "./tree.ts";
import type { Ignored } from "./walk.ts";
import type { WorkspaceLimits } from "./workspace-limits.ts";

export interface Disks {
  readonly kind: "overlay" | "copy";
  /** Why the better kind is not available; empty for overlays. */
  readonly reason: string;
  /**
   * Makes `tree` appear at `dir`, which does not exist or is empty, and whose parent is on the file system of the
   * disks. Cached data of one organization is never used for another.
   * @throws SnapshotDamagedError
   */
  open(o: OpenDisk): Promise<Disk>;
  /** Size of the cached data, in bytes. */
  readonly sizeBytes: number;
  /** How often a squashfs image was available but could not be used, since the disks were opened. */
  readonly squashfsUnused: number;
  close(): Promise<void>;
}

export interface OpenDisk {
  readonly store: BlobStore;
  readonly organizationId: string;
  /** A saved tree, with locations. */
  readonly tree: Tree;
  readonly dir: string;
  /**
   * User and group of everything in the directory, the same for each disk of the organization (default: this
   * process's).
   */
  readonly owner?: number | undefined;
  readonly limits: WorkspaceLimits;
}

/** A directory with `workspace/` and `state/` for one turn. */
export interface Disk {
  readonly dir: string;
  /** Whether nothing was read from the store. */
  readonly isWarm: boolean;
  /**
   * Announces that this disk will be kept as `tree`, or closed. An `open` of that tree waits for it and finds it warm.
   * Call it before others can learn of the tree.
   */
  announce(tree: Tree): void;
  /** Returns the current tree. Nothing may write to the directory during the scan. @throws as `scan` does. */
  scan(): Promise<DiskScan>;
  /**
   * Keeps the directory, which is unchanged since the last scan and contains exactly the saved `tree`, so that the next
   * opening of that tree reads nothing from the store. Ends the disk.
   */
  keep(tree: Tree): Promise<void>;
  /** Ends the disk: unmounts `dir` and removes its contents. Idempotent. */
  close(): Promise<void>;
}

export interface DiskScan {
  readonly tree: Tree;
  readonly ignored: readonly Ignored[];
  readonly filesHashed: number;
}

export interface DisksOptions {
  /** Created if missing. One process uses it at a time. */
  readonly dir: string;
  /** Above this size, the least recently used data is evicted. */
  readonly maxBytes: number;
  /** `auto` uses overlays if this process may mount them. */
  readonly kind?: "auto" | "overlay" | "copy";
  /** Called if a disk is restored from packs because its squashfs image cannot be used. That only costs time. */
  readonly onSquashfsUnused?: (unused: UnusedSquashfs) => void;
}

export interface UnusedSquashfs {
  readonly organizationId: string;
  readonly objectKey: string;
  /** What is wrong with it, or the error of mounting. */
  readonly reason: string;
}

/** A kind of disks without the handling of announcements. */
export type PlainDisks = Omit<Disks, "open"> & { open(o: OpenDisk): Promise<PlainDisk> };
export type PlainDisk = Omit<Disk, "announce">;

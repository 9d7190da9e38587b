// The interface of disks, which both kinds implement. A disk is a session's directory on this machine.

import type { BlobStore } from "@dari/blobs";
import type { Tree } from "../tree/tree.ts";
import type { Ignored } from "../directory/walk-directory.ts";
import type { WorkspaceLimits } from "../tree/workspace-limits.ts";

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
  /** Whether the disk was opened from cached data, without reading from the object store. */
  readonly isWarm: boolean;
  /**
   * Announces that this disk will be kept as `tree`, or closed. Until then, an `open` of that tree waits, so that it
   * can use the cached data. Call it before other processes can learn of the tree.
   */
  announce(tree: Tree): void;
  /** Returns the current tree. Nothing may write to the directory during the scan. @throws like `scan` */
  scan(): Promise<DiskScan>;
  /**
   * Keeps the directory, which is unchanged since the last scan and contains exactly the saved `tree`, so that the next
   * opening of that tree reads nothing from the object store. Ends the disk.
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
  /** Maximum size of the cached data, in bytes. Above it, the least recently used data is evicted. */
  readonly maxBytes: number;
  /** `auto` uses overlays if this process may mount them. */
  readonly kind?: "auto" | "overlay" | "copy";
  /** Called if a disk is restored from packs because its squashfs image cannot be used. This only costs time. */
  readonly onSquashfsUnused?: (unused: UnusedSquashfs) => void;
}

export interface UnusedSquashfs {
  readonly organizationId: string;
  readonly objectKey: string;
  /** What is wrong with the squashfs image, or the error of mounting it. */
  readonly reason: string;
}

/** A kind of disks without the handling of announcements. */
export type PlainDisks = Omit<Disks, "open"> & { open(o: OpenDisk): Promise<PlainDisk> };
export type PlainDisk = Omit<Disk, "announce">;

// The interfaces of disks, which callers use and each kind implements. A disk is a session's directory on this machine.

import type { BlobStore } from "@dari/blobs";
import type { ContentCache } from "./content-cache.ts";
import type { Tree } from "./tree.ts";
import type { Ignored } from "./walk.ts";
import type { WorkspaceLimits } from "./workspace-limits.ts";

export interface Disks {
  readonly kind: "overlay" | "copy";
  /** Why it is not the better kind; empty for overlays. */
  readonly reason: string;
  /**
   * Makes `tree` appear at `dir`, which does not exist or is empty, and whose parent is on the file system of the
   * disks. What is kept of one organization is never shown to another.
   * @throws SnapshotDamagedError
   */
  open(o: OpenDisk): Promise<Disk>;
  /** What is kept for later, bytes. */
  readonly sizeBytes: number;
  /** How often a squashfs image was there and could not be used, since the disks were opened. */
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
   * User and group that everything in the directory belongs to, the same for each disk of the organization; default:
   * this process's.
   */
  readonly owner?: number | undefined;
  readonly limits: WorkspaceLimits;
  readonly cache?: ContentCache;
}

/** A directory with `workspace/` and `state/` in it, for one turn. */
export interface Disk {
  readonly dir: string;
  /** Whether nothing was read from the store. */
  readonly isWarm: boolean;
  /**
   * Announces that this disk will be kept as `tree`, or closed. An `open` of that tree waits for it, and finds it warm.
   * Call it before others can learn of the tree.
   */
  announce(tree: Tree): void;
  /** The tree as it is now. Nothing may write to the directory meanwhile. @throws as `scan` does. */
  scan(): Promise<DiskScan>;
  /**
   * The directory, unchanged since the last scan, holds exactly `tree`, which was saved: it is kept, so that the next
   * opening of that tree reads nothing from the store. Ends the disk.
   */
  keep(tree: Tree): Promise<void>;
  /** Ends the disk: nothing is mounted at `dir`, what was in it is gone. Idempotent. */
  close(): Promise<void>;
}

export interface DiskScan {
  readonly tree: Tree;
  readonly ignored: readonly Ignored[];
  readonly filesHashed: number;
}

export interface DisksOptions {
  /** Made when missing; one process uses it at a time. */
  readonly dir: string;
  /** Beyond this, what was not used for longest goes. */
  readonly maxBytes: number;
  /** `auto` takes overlays where this process may mount them. */
  readonly kind?: "auto" | "overlay" | "copy";
  /**
   * Called when a disk is laid out from packs because its squashfs image cannot be used: time is lost, and nothing
   * else.
   */
  readonly onSquashfsUnused?: (unused: UnusedSquashfs) => void;
}

export interface UnusedSquashfs {
  readonly organizationId: string;
  readonly objectKey: string;
  /** What is wrong with it, or what mounting said. */
  readonly reason: string;
}

/** A kind of disks, before announcements are kept. */
export type PlainDisks = Omit<Disks, "open"> & { open(o: OpenDisk): Promise<PlainDisk> };
export type PlainDisk = Omit<Disk, "announce">;

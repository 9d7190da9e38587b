// The platform's workspaces on a store, as a worker uses them, without the database.

import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import {
  defaultWorkspaceLimits as limits,
  emptyTree,
  loadTree,
  openDisks,
  rewriteSnapshot,
  save,
  scan,
  type Disks,
  type Tree,
} from "@dari/workspace";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { measureMs } from "../statistics.ts";
import { medianOf } from "../verdict.ts";
import { countedStore, type CountedStore, type Requests } from "./counted-store.ts";
import { changeThree, type Size } from "./make-files.ts";

/** Milliseconds by step. */
export type Timings = Record<string, number>;

export interface Contestant {
  /** Stores all of `source`. */
  saveAll(source: string): Promise<Timings>;
  /** One round: measures everything once. */
  round(turn: number): Promise<Timings>;
  /** The requests of the last turn's save; undefined if they are not counted. */
  readonly requests?: Requests | undefined;
  close(): Promise<void>;
}

/** A single turn is too short to compare with other programs. */
const turnsPerRound = 5;

function medians(turns: readonly Timings[]): Timings {
  const steps = Object.keys(turns[0] ?? {});
  return Object.fromEntries(steps.map((step) => [step, medianOf(turns.map((timings) => timings[step] ?? Number.NaN))]));
}

interface Session {
  readonly objectKey: string;
  head: Tree;
  worker: Disks;
}

/** `image`: overlays over an image, where the tree is large enough to have one. */
export type DariKind = "overlay" | "copy" | "image";

export async function openDari(asked: DariKind, dir: string, size: Size): Promise<Contestant> {
  mkdirSync(dir, { recursive: true });
  const counted = countedStore(createFilesystemBlobStore({ root: path.join(dir, "store"), durable: false }));
  const bench: Bench = { dir, counted, size, kind: asked === "copy" ? "copy" : "overlay" };
  let session: Session | undefined;
  let requests: Requests | undefined;
  return {
    get requests() {
      return requests;
    },
    async saveAll(source) {
      const started = performance.now();
      const { tree } = await scan(source);
      const options = { store: counted.store, keyPrefix: "org/snapshots", dir: source, before: emptyTree, after: tree };
      const saved = await save({ ...options, full: true });
      const { store } = counted;
      const key = asked === "image" ? await addImage(store, saved.tree) : saved.objectKey;
      const all = performance.now() - started;
      const worker = await openDisks({ dir: path.join(dir, "worker"), maxBytes: 8 * 1024 ** 3, kind: bench.kind });
      session = { objectKey: key, head: saved.tree, worker };
      // The worker has it cached from the previous turn.
      const disk = await openDisk(bench, worker, saved.tree);
      await disk.scan();
      await disk.keep(saved.tree);
      return { save_all: all };
    },
    async round(turn) {
      if (session === undefined) throw new Error("nothing is stored yet");
      const cold = await restoreCold(bench, session.objectKey);
      const turns: Timings[] = [];
      for (let i = 0; i < turnsPerRound; i++) {
        const { timings, written } = await playTurn(bench, session, turn * turnsPerRound + i);
        turns.push(timings);
        requests = written;
      }
      return { ...cold, ...medians(turns) };
    },
    async close() {
      await session?.worker.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Bench {
  readonly dir: string;
  readonly counted: CountedStore;
  readonly size: Size;
  readonly kind: "overlay" | "copy";
}

/** Adds an image as the background squash does: an object with the whole manifest, which names the image. */
async function addImage(store: BlobStore, tree: Tree): Promise<string> {
  const { objectKey, references } = await rewriteSnapshot({
    store,
    keyPrefix: "org/snapshots",
    tree,
    repack: new Set(),
  });
  if (references.length < 2) throw new Error("no image was made; are squashfs-tools installed?");
  return objectKey;
}

let count = 0;

function openDisk({ dir, counted }: Bench, disks: Disks, tree: Tree): ReturnType<Disks["open"]> {
  const place = path.join(dir, `slot-${count++}`);
  return disks.open({ store: counted.store, organizationId: "org_bench", tree, dir: place, limits });
}

/**
 * Restores like a worker without cached data of the session: manifest and contents come from the store. Its code is
 * already compiled, and the threads that restore are running, because the session's own disks hold them.
 */
async function restoreCold(bench: Bench, objectKey: string): Promise<Timings> {
  const dir = path.join(bench.dir, "cold");
  const disks = await openDisks({ dir, maxBytes: 8 * 1024 ** 3, kind: bench.kind });
  const started = performance.now();
  const tree = await loadTree(bench.counted.store, [{ objectKey }]);
  const disk = await openDisk(bench, disks, tree);
  const restore_cold = performance.now() - started;
  await disk.close();
  await disks.close();
  rmSync(dir, { recursive: true, force: true });
  return { restore_cold };
}

async function playTurn(
  bench: Bench,
  session: Session,
  turn: number,
): Promise<{ timings: Timings; written: Requests }> {
  const before = session.head;
  const opening = performance.now();
  const disk = await openDisk(bench, session.worker, before);
  const restore_warm = performance.now() - opening;
  if (!disk.isWarm) throw new Error("the worker had the session's tree and read it again");
  changeThree(disk.dir, bench.size, turn);
  bench.counted.take();
  const started = performance.now();
  const { tree: after } = await disk.scan();
  const scanned = performance.now();
  const saved = await save({ store: bench.counted.store, keyPrefix: "org/snapshots", dir: disk.dir, before, after });
  const stored = performance.now();
  const written = bench.counted.take();
  const keep = await measureMs(() => disk.keep(saved.tree));
  session.head = saved.tree;
  return {
    timings: { restore_warm, scan: scanned - started, save: stored - scanned, scan_and_save: stored - started, keep },
    written,
  };
}

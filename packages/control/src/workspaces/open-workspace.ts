// Brings a session's last committed workspace into a directory, with the files of its messages placed.

import { createHash } from "node:crypto";
import { createWriteStream, type Stats } from "node:fs";
import { chmod, lstat, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { BlobStore } from "@dari/blobs";
import type { InputFile } from "@dari/db";
import { numberedFilename } from "@dari/domain";
import { restore, scan, type DirectoryContentCache, type Scan } from "@dari/workspace";
import type { Turn, TurnPart } from "../turns/load-turn.ts";
import type { LoadedTree, Trees } from "./trees.ts";

export interface WorkspaceContext {
  readonly blobs: BlobStore;
  readonly trees: Trees;
  readonly contents: DirectoryContentCache | undefined;
}

export interface OpenedWorkspace {
  /** Holds `workspace/` and `state/`. */
  readonly dir: string;
  readonly head: LoadedTree;
  /** As the agent finds it: what differs from this was changed by the turn. */
  readonly baseline: Scan;
  /** The message's parts, where a file had to take another name because the agent had written one of that name. */
  readonly parts: readonly TurnPart[];
}

/** Placed files are in the baseline, so that they never count as changed by the turn. */
export async function openWorkspace(context: WorkspaceContext, turn: Turn, dir: string): Promise<OpenedWorkspace> {
  const head = await context.trees.load(turn.organizationId, turn.headSnapshotId);
  await restore({
    store: context.blobs,
    tree: head.tree,
    dir,
    ...(context.contents === undefined ? {} : { cache: context.contents.forOrganization(turn.organizationId) }),
  });
  const moved = new Map<string, string>();
  for (const input of turn.inputs) {
    const placed = await placeInput(context.blobs, dir, input);
    if (placed !== input.path && input.messageId === turn.messageId) moved.set(input.path, placed);
  }
  const baseline = await scan(dir, { restored: head.tree });
  if (moved.size === 0) return { dir, head, baseline, parts: turn.parts };
  const parts = turn.parts.map((part) =>
    part.type === "text" ? part : { ...part, path: moved.get(part.path) ?? part.path },
  );
  return { dir, head, baseline, parts };
}

async function placeInput(store: BlobStore, dir: string, input: InputFile): Promise<string> {
  const path = await freePath(dir, input.path);
  const target = join(dir, "workspace", path);
  await mkdir(dirname(target), { recursive: true });
  // The agent may have taken its own right to write there; the folder is for uploads all the same.
  await chmod(dirname(target), 0o755);
  const hash = createHash("sha256");
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(await store.get(input.objectKey), tap, createWriteStream(target, { flags: "wx", mode: 0o644 }));
  if (hash.digest("hex") !== input.sha256) throw new Error(`the stored bytes of ${input.path} are damaged`);
  return path;
}

/**
 * Never over a file that the agent wrote itself, and never through a link or a file that it put in the folder's place:
 * then the folder gets a number, so that one turn cannot make every later one fail.
 */
async function freePath(dir: string, path: string): Promise<string> {
  const name = path.slice(dirname(path).length + 1);
  const folder = await freeFolder(dir, dirname(path));
  for (let n = 1; ; n++) {
    const candidate = `${folder}/${numberedFilename(name, n)}`;
    if ((await find(dir, candidate)) === undefined) return candidate;
  }
}

async function freeFolder(dir: string, folder: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? folder : `${folder}-${n}`;
    const found = await find(dir, candidate);
    if (found === undefined || found.isDirectory()) return candidate;
  }
}

function find(dir: string, path: string): Promise<Stats | undefined> {
  return lstat(join(dir, "workspace", path)).catch(() => undefined);
}

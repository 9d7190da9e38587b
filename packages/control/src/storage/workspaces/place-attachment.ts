// Puts a message's uploaded files into the workspace before its turn.

import type { Stats } from "node:fs";
import { chmod, lchown, lstat, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@dari/blobs";
import type { TurnPart } from "@dari/control/turns";
import type { AttachmentToPlace, PlacedAttachment } from "@dari/db";
import { leafFilename, numberedFilename } from "@dari/domain";
import { writeHashed } from "@dari/runtime";

/** Set explicitly, because the worker's umask can remove permissions. */
export const uploadMode = 0o644;
export const uploadFolderMode = 0o755;
/** The only folder of a workspace for uploads. */
export const uploadFolder = "/input";

/**
 * Returns the path of the file, which differs from the requested one if the agent has written a file of that name.
 * `owner`: user and group of the new files and folders (default: this process's).
 */
export async function placeAttachment(
  store: BlobStore,
  dir: string,
  input: AttachmentToPlace,
  owner?: number,
): Promise<string> {
  const path = await freePath(dir, input.path);
  const target = join(dir, "workspace", path);
  const made = await mkdir(dirname(target), { recursive: true });
  // The agent may have removed its own write permission.
  await chmod(dirname(target), uploadFolderMode);
  const { sha256 } = await writeHashed(await store.get(input.objectKey), target);
  await chmod(target, uploadMode);
  if (owner !== undefined) await Promise.all([made ?? target, target].map((place) => lchown(place, owner, owner)));
  if (sha256 !== input.sha256) throw new Error(`the stored bytes of ${input.path} are damaged`);
  return path;
}

/** Returns a message's parts with the paths of its placed uploads. */
export function withPlacedPaths(parts: readonly TurnPart[], placed: readonly PlacedAttachment[]): readonly TurnPart[] {
  const moved = new Map(placed.map(({ path, sentAs }) => [sentAs, path.slice("workspace".length)]));
  return parts.map((part) => (part.type === "text" ? part : { ...part, path: moved.get(part.path) ?? part.path }));
}

/**
 * Returns a path that overwrites no file of the agent and follows no link. If the agent has put a link or a file in the
 * folder's place, the folder gets a number, so that one turn cannot make all later ones fail. Only the last segment of
 * the row's path is used: a folder inside could be a link, which this process would follow outside of every sandbox.
 */
async function freePath(dir: string, path: string): Promise<string> {
  const name = leafFilename(path);
  const folder = await freeFolder(dir, uploadFolder);
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

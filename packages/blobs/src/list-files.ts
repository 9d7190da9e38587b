// Walks a folder in the byte order of whole keys, as S3 lists.

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobInfo } from "./blob-store.ts";
import { getErrorCode } from "./get-error-code.ts";

/**
 * Yields files below `top` as keys that start with `prefix` and come after `after`. Skips files that disappear during
 * the listing.
 */
export async function* listFiles(top: string, prefix: string, after: string | undefined): AsyncGenerator<BlobInfo> {
  const slash = prefix.lastIndexOf("/");
  yield* walk(top, prefix.slice(0, slash + 1), prefix, after);
}

async function* walk(top: string, base: string, prefix: string, after: string | undefined): AsyncGenerator<BlobInfo> {
  for (const name of await namesInKeyOrder(join(top, base))) {
    const key = base + name;
    const isFolder = key.endsWith("/");
    if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) continue;
    if (isFolder) {
      // Either all keys below a folder are greater than `after` or none is, unless `after` is in the folder.
      if (after === undefined || key > after || after.startsWith(key)) yield* walk(top, key, prefix, after);
    } else if (after === undefined || key > after) {
      const found = await stat(join(top, key)).catch(undefinedIfGone);
      if (found !== undefined) yield { key, sizeBytes: found.size, modifiedAt: found.mtime };
    }
  }
}

// A folder sorts as its name plus a slash, because that is how its keys compare with the other names.
async function namesInKeyOrder(folder: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    undefinedIfGone(error);
    return [];
  });
  return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
}

function undefinedIfGone(error: unknown): undefined {
  const code = getErrorCode(error);
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
}

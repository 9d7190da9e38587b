// Unpacks a bundle into a new directory, with the same checks as the inspection.

import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readBundle, type BundleLimits, type BundleEntry } from "./read-bundle.ts";

/**
 * Writes the bundle's files below `dir`, which must not exist yet, so that nothing in it can be a link to elsewhere.
 * Files are created, never overwritten, with mode 0755 or 0644.
 * @throws BundleRefusedError as `readBundle` does; the caller removes the files written so far.
 */
export async function unpackBundle(options: {
  file: string;
  dir: string;
  limits?: BundleLimits;
  signal?: AbortSignal;
}): Promise<{ files: number; unpackedBytes: number; warnings: string[] }> {
  await mkdir(options.dir);
  const known = new Set<string>([options.dir]);
  let files = 0;
  const { warnings, unpackedBytes } = await readBundle({
    ...options,
    onFile: async (entry, content) => {
      const path = join(options.dir, entry.path);
      await makeParents(dirname(path), known);
      await writeEntry(path, entry, content);
      files += 1;
    },
  });
  return { files, unpackedBytes, warnings };
}

async function makeParents(dir: string, known: Set<string>): Promise<void> {
  if (known.has(dir)) return;
  await mkdir(dir, { recursive: true, mode: 0o755 });
  known.add(dir);
}

async function writeEntry(path: string, entry: BundleEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, "wx", entry.mode);
  try {
    // The process's umask must not decide what the sandbox can read.
    await handle.chmod(entry.mode);
    await handle.writeFile(content);
  } finally {
    await handle.close();
  }
}

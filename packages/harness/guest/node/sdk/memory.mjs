// What an SDK stores between a session's turns: JSON in the session's state folder, which is saved with the turn and
// restored for the next one.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const { parse, stringify } = JSON;
const blobPrefix = "dari-blob:";
/**
 * Text of this length or more is stored in a separate file named by its hash, so that an image is stored once and not
 * with each turn.
 */
const blobChars = 16 * 1024;

/** @param name the SDK's folder in the session's state */
export function openMemory(name) {
  const dir = join(process.env.HOME ?? homedir(), ".dari", name);
  const file = join(dir, "memory.json");
  return {
    dir,
    /** Returns what was saved last; undefined in the first turn. */
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

/** Identifies a message in the history. */
export function fingerprint(parts) {
  const said = parts.map((part) => (part.type === "text" ? part.text : part.file_id));
  return createHash("sha256").update(stringify(said)).digest("hex");
}

/**
 * Returns the entries of `history` that the memory does not contain: without a memory all of them, otherwise those of
 * interrupted turns after it was saved. `last`: the fingerprints of the last turn's messages, or that of its only one.
 */
export function unknownEntries(history, last) {
  if (last === undefined) return history;
  const known = [last].flat();
  const at = history.findLastIndex(({ role, parts }) => role === "user" && known.includes(fingerprint(parts)));
  if (at < 0) return [];
  return history.slice(history[at + 1]?.role === "assistant" ? at + 2 : at + 1);
}

// The blocking transport of the Python client: the text of the asynchronous one without `async` and `await`.

import { readFileSync } from "node:fs";
import path from "node:path";

const source = path.resolve(import.meta.dirname, "../../../../client-python/src/dari_client/_async_transport.py");

/** In this order. */
const replacements: readonly (readonly [RegExp, string])[] = [
  [/^""".*"""/, '"""Sends calls over httpx and waits for each of them. Generated from `_async_transport.py`."""'],
  [/\basync (?=def|with|for)|\bawait /g, ""],
  [/\basyncio\b/g, "time"],
  [/\bAsyncTransport\b/g, "SyncTransport"],
  [/\bAsync(?=Body|BaseTransport|Client|Iterator)/g, ""],
  [/\b__a(?=enter|exit|iter)/g, "__"],
  [/\ba(?=close|read|iter_bytes|iter_lines)/g, ""],
  [/\bpieces_async\b/g, "pieces"],
  [/^from \.generated\./gm, "from ."],
  [/^from \._/gm, "from .._"],
];

export function blockingTransport(): string {
  return replacements.reduce(
    (text, [pattern, replacement]) => text.replace(pattern, replacement),
    readFileSync(source, "utf8"),
  );
}

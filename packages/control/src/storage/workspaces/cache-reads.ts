// A store that caches its last reads, because small files share frames, and reading many of them repeats frames.

import type { BlobStore } from "@dari/blobs";

const rememberedBytes = 32 * 1024 * 1024;

/** Caches reads for one call that reads many files of a tree in order. */
export function cacheReads(store: BlobStore): BlobStore {
  const kept = new Map<string, Buffer>();
  let bytes = 0;
  return {
    ...bindAll(store),
    async read(key, range) {
      const name = `${key} ${range?.start ?? 0} ${range?.end ?? ""}`;
      const known = kept.get(name);
      if (known !== undefined) return known;
      const read = await store.read(key, range);
      kept.set(name, read);
      bytes += read.length;
      for (const [oldest, { length }] of kept) {
        if (bytes <= rememberedBytes) break;
        kept.delete(oldest);
        bytes -= length;
      }
      return read;
    },
  };
}

/** Methods can be on the store's prototype, which a spread omits. */
function bindAll(store: BlobStore): BlobStore {
  return {
    put: (...args) => store.put(...args),
    get: (...args) => store.get(...args),
    read: (...args) => store.read(...args),
    head: (...args) => store.head(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
    check: () => store.check(),
    close: () => store.close(),
  };
}

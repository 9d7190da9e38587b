// A store that counts its requests and bytes, except what threads read directly from its files.

import type { BlobStore } from "@dari/blobs";

export interface Requests {
  puts: number;
  bytes_written: number;
  reads: number;
  bytes_read: number;
}

export interface CountedStore {
  readonly store: BlobStore;
  /** Returns the counts since the last call. */
  take(): Requests;
}

const none = (): Requests => ({ puts: 0, bytes_written: 0, reads: 0, bytes_read: 0 });

export function countedStore(inner: BlobStore): CountedStore {
  let counts = none();
  return {
    store: {
      ...inner,
      async put(key, body, options) {
        const result = await inner.put(key, body, options);
        counts.puts++;
        counts.bytes_written += result.sizeBytes;
        return result;
      },
      async read(key, range) {
        const bytes = await inner.read(key, range);
        counts.reads++;
        counts.bytes_read += bytes.length;
        return bytes;
      },
    },
    take() {
      const taken = counts;
      counts = none();
      return taken;
    },
  };
}

// What the maintenance of the object store works with.

import type { BlobStore } from "@dari/blobs";
import type { Database } from "@dari/db";
import type { Log } from "@dari/domain";

export interface StorageContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly log: Log;
}

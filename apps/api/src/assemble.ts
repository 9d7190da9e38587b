// Builds what the verbs are given out of the settings. The only place of this program that knows stores by name.

import { createFilesystemBlobStore, createS3BlobStore, type BlobStore } from "@dari/blobs";
import { createAdmission, createSealer, createTrees, deriveKey, joinNotifiers, type Control } from "@dari/control";
import { createPgNotifier, openDatabase } from "@dari/db";
import type { TurnDelivery } from "@dari/domain";
import { createRedisNotifier, openTurnQueue } from "@dari/queue";
import { createLogger } from "@dari/runtime";
import type { ApiConfig } from "./config.ts";

const poolMax = 20;
/** Redis keys of the platform, and the one pool of workers there is. */
const queuePrefix = "dari";
const queuePool = "default";
const workerSeenWithinMs = 5_000;

/** Everything opened here is closed by `stack`. @throws when a store cannot be used, with what to do about it. */
export async function assembleControl(config: ApiConfig, stack: AsyncDisposableStack): Promise<Control> {
  const log = createLogger({ name: "api", level: config.logLevel });
  const db = openDatabase({
    url: config.databaseUrl.reveal(),
    poolMax,
    role: "dari_app",
    applicationName: "dari-api",
  });
  stack.defer(() => db.close());
  const blobs = openBlobs(config);
  stack.defer(() => blobs.close());
  await blobs.check();
  const pgNotifier = createPgNotifier(db, "dari-api-notifier");
  stack.defer(() => pgNotifier.close());
  const redis = openRedis(config, stack);
  return {
    db,
    blobs,
    log,
    sealer: createSealer(config.masterKey),
    trees: createTrees({ db, blobs }),
    notifier: redis === undefined ? pgNotifier : joinNotifiers(redis.notifier, pgNotifier),
    delivery: redis?.delivery ?? directPull,
    admission: createAdmission(db, { workerSeenWithinMs }),
    publicUrl: config.publicUrl ?? `http://${config.host}:${config.port}`,
    urlSigningKey: deriveKey(config.masterKey, "upload-url"),
  };
}

/** Without a queue workers look for turns themselves; the notifier tells them when. */
const directPull: TurnDelivery = {
  available: false,
  deliver: () => Promise.reject(new Error("there is no queue")),
};

function openRedis(config: ApiConfig, stack: AsyncDisposableStack) {
  if (config.redisUrl === undefined) return undefined;
  const redisUrl = config.redisUrl.reveal();
  const notifier = createRedisNotifier(redisUrl, queuePrefix);
  stack.defer(() => notifier.close());
  const delivery = openTurnQueue({ redisUrl, prefix: queuePrefix, pool: queuePool });
  stack.defer(() => delivery.close());
  return { notifier, delivery };
}

function openBlobs(config: ApiConfig): BlobStore {
  const { dir, s3 } = config.blobs;
  if (dir !== undefined) return createFilesystemBlobStore({ root: dir });
  return createS3BlobStore({
    bucket: s3.bucket ?? "",
    region: s3.region,
    forcePathStyle: s3.forcePathStyle,
    ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
    ...(s3.accessKeyId === undefined ? {} : { accessKeyId: s3.accessKeyId }),
    ...(s3.secretAccessKey === undefined ? {} : { secretAccessKey: s3.secretAccessKey }),
  });
}

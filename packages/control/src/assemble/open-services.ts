// Opens what a program of the platform stands on, in order, on the stack that closes it in reverse.

import { createFilesystemBlobStore, createS3BlobStore, type BlobStore } from "@dari/blobs";
import { createPgNotifier, createPgPreviews, migrate, openDatabase, type Database } from "@dari/db";
import type { Notifier, Previews, TurnDelivery } from "@dari/domain";
import {
  createRedisNotifier,
  createRedisPreviews,
  openTurnQueue,
  openTurnSource,
  type QueueLocation,
  type TurnQueue,
  type TurnSource,
} from "@dari/queue";
import { createAdmission } from "../dispatch/admission.ts";
import { createBacklog } from "../dispatch/backlog.ts";
import { workerSeenWithinMs } from "../dispatch/room.ts";
import type { Control } from "../context.ts";
import { createRateLimiter, type RateDefaults } from "../limits/rate-limiter.ts";
import { joinNotifiers } from "../joined-notifier.ts";
import { joinPreviews } from "../joined-previews.ts";
import { clearScratch } from "../scratch.ts";
import { createSealer, deriveKey, type Sealer } from "../sealer.ts";
import { createStreamGate } from "../streams/stream-gate.ts";
import { createSessionFeeds } from "../streams/session-feeds.ts";
import { receiverPolicyOf, type ReceiverPolicy } from "../webhooks/receivers.ts";
import { createTrees, type Trees } from "../workspaces/trees.ts";
import { masterKeyOf, oldMasterKeysOf, type ServiceSettings } from "./service-settings.ts";
import type { Log } from "@dari/domain";

export interface Services {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly notifier: Notifier;
  readonly previews: Previews;
  readonly delivery: TurnDelivery;
  /** Undefined without Redis. */
  readonly queue: TurnQueue | undefined;
  readonly sealer: Sealer;
  readonly trees: Trees;
  readonly webhookReceivers: ReceiverPolicy;
  readonly log: Log;
}

/** Prepares the database (safe from many programs at once) and opens everything. Throws with what to do. */
export async function openServices(
  settings: ServiceSettings,
  options: { program: string; log: Log },
  stack: AsyncDisposableStack,
): Promise<Services> {
  const url = settings.databaseUrl.reveal();
  const { applied } = await migrate(url);
  if (applied.length > 0) options.log.info({ applied }, "database.migrated");
  const db = stack.adopt(
    openDatabase({
      url,
      poolMax: settings.databasePoolMax,
      role: "dari_app",
      applicationName: `dari-${options.program}`,
    }),
    (opened) => opened.close(),
  );
  const blobs = stack.adopt(openBlobs(settings), (opened) => opened.close());
  await blobs.check();
  await clearScratch();
  const fallback = createPgNotifier(db, `dari-${options.program}-listen`);
  const location = queueLocation(settings);
  const queue = location === undefined ? undefined : stack.adopt(openTurnQueue(location), (opened) => opened.close());
  const joined =
    location === undefined
      ? fallback
      : joinNotifiers(createRedisNotifier(location.redisUrl, location.prefix), fallback);
  const notifier = stack.adopt(joined, (opened) => opened.close());
  const previews = stack.adopt(openPreviews(db, location, options.program), (opened) => opened.close());
  return {
    db,
    blobs,
    notifier,
    previews,
    delivery: queue ?? pullOnly,
    queue,
    sealer: createSealer(masterKeyOf(settings), oldMasterKeysOf(settings)),
    trees: createTrees({ db, blobs }),
    webhookReceivers: receiverPolicyOf(settings.webhookAllow),
    log: options.log,
  };
}

/** The API's view of the services. */
export function controlOf(services: Services, settings: ServiceSettings, publicUrl: string): Control {
  return {
    ...services,
    admission: createAdmission(services.db, { workerSeenWithinMs, notifier: services.notifier }),
    backlog: createBacklog(),
    rates: createRateLimiter(services.db, rateDefaultsOf(settings)),
    feeds: createSessionFeeds(services),
    streams: createStreamGate(),
    organizationCreation: settings.organizationCreation,
    publicUrl,
    urlSigningKey: deriveKey(masterKeyOf(settings), "upload-urls"),
  };
}

/** 0 in the environment: no bound. */
function rateDefaultsOf({ rates }: ServiceSettings): RateDefaults {
  const bound = (given: number): number | undefined => (given === 0 ? undefined : given);
  return {
    requests: bound(rates.requestsPerMinute),
    messages: bound(rates.messagesPerMinute),
    upload_bytes: bound(rates.uploadBytesPerHour),
  };
}

function openPreviews(db: Database, location: QueueLocation | undefined, program: string): Previews {
  const fallback = createPgPreviews(db, `dari-${program}-previews`);
  if (location === undefined) return fallback;
  return joinPreviews(createRedisPreviews(location.redisUrl, location.prefix), fallback);
}

/** A worker's consuming side; undefined without Redis. */
export function openSource(settings: ServiceSettings): TurnSource | undefined {
  const location = queueLocation(settings);
  return location === undefined ? undefined : openTurnSource(location, { lockMs: settings.leaseMs });
}

/** Without a queue, workers pull what is dispatched. */
const pullOnly: TurnDelivery = {
  available: false,
  deliver: () => Promise.reject(new Error("no queue is configured")),
};

function queueLocation(settings: ServiceSettings): QueueLocation | undefined {
  if (settings.redisUrl === undefined) return undefined;
  return { redisUrl: settings.redisUrl.reveal(), prefix: settings.queuePrefix, pool: settings.pool };
}

function openBlobs(settings: ServiceSettings): BlobStore {
  const { dir, bucket, endpoint, publicUrl, accessKeyId, secretAccessKey, region, forcePathStyle, requestChecksums } =
    settings.blobs;
  if (dir !== undefined) return createFilesystemBlobStore({ root: dir });
  return createS3BlobStore({
    region,
    bucket: bucket ?? "",
    requestChecksums,
    ...(forcePathStyle === undefined ? {} : { forcePathStyle }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
  });
}

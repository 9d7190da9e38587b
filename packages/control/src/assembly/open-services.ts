// Opens the services of a program in order, on a stack that closes them in reverse.

import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import type { Backlog, Control, RateLimiter, ReceiverPolicy, Sealer, SnapshotTrees } from "@dari/control/context";
import { createSessionFeeds, createStreamLimiter, parseReceiverPolicy } from "@dari/control/outbound";
import { createSnapshotTrees } from "@dari/control/storage";
import { createRateLimiter, createSealer, deriveKey, type RateDefaults } from "@dari/control/tenants";
import { createAdmission, createBacklog, workerSeenWithinMs } from "@dari/control/turns";
import { createPgNotifier, createPgPreviews, migrate, openDatabase, type Database } from "@dari/db";
import { limits, type Notifier, type Previews, type TurnDelivery } from "@dari/domain";
import {
  createRedisNotifier,
  createRedisPreviews,
  openTurnQueue,
  openTurnSource,
  type QueueLocation,
  type TurnQueue,
  type TurnSource,
} from "@dari/queue";
import { clearScratch, createScratchSpace } from "@dari/runtime";
import type { Log } from "@dari/domain";
import { joinNotifiers, joinPreviews } from "./with-fallback.ts";
import { masterKeyOf, oldMasterKeysOf, type ServiceSettings } from "./service-settings.ts";

export interface Services {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly notifier: Notifier;
  readonly previews: Previews;
  readonly delivery: TurnDelivery;
  /** Undefined without Redis. */
  readonly queue: TurnQueue | undefined;
  readonly backlog: Backlog;
  readonly rates: RateLimiter;
  readonly sealer: Sealer;
  readonly trees: SnapshotTrees;
  readonly webhookReceivers: ReceiverPolicy;
  readonly log: Log;
}

/**
 * Prepares the database (safe from several programs at the same time) and opens all services. `answersCalls`: this
 * program serves the API, whose calls get connections of their own. Its errors say what to do.
 */
export async function openServices(
  settings: ServiceSettings,
  options: { program: string; log: Log; answersCalls?: boolean },
  stack: AsyncDisposableStack,
): Promise<Services> {
  const url = settings.databaseUrl.reveal();
  const { applied, hasRowSecurity } = await migrate(url);
  if (applied.length > 0) options.log.info({ applied }, "database.migrated");
  if (!hasRowSecurity) options.log.warn({ role: "dari_tenant" }, "database.unfenced");
  const connections = shareConnections(settings.databasePoolMax, {
    hasRowSecurity,
    answersCalls: options.answersCalls === true,
  });
  const applicationName = `dari-${options.program}`;
  const db = stack.adopt(openDatabase({ url, ...connections, role: "dari_app", applicationName }), (opened) =>
    opened.close(),
  );
  const blobs = stack.adopt(await openBlobs(settings), (opened) => opened.close());
  await blobs.check();
  await clearScratch();
  const fallback = createPgNotifier(db, `dari-${options.program}-listen`);
  const location = queueLocation(settings);
  const queue = location === undefined ? undefined : stack.adopt(openTurnQueue(location), (opened) => opened.close());
  const joined =
    queue === undefined ? fallback : joinNotifiers(createRedisNotifier(queue.sender, settings.queuePrefix), fallback);
  const notifier = stack.adopt(joined, (opened) => opened.close());
  const previews = stack.adopt(openPreviews(db, location, options.program), (opened) => opened.close());
  return {
    db,
    blobs,
    notifier,
    previews,
    delivery: queue ?? pullOnly,
    queue,
    backlog: createBacklog(),
    rates: createRateLimiter(db, rateDefaultsOf(settings)),
    sealer: createSealer(masterKeyOf(settings), oldMasterKeysOf(settings)),
    trees: createSnapshotTrees({ db, blobs }),
    webhookReceivers: parseReceiverPolicy(settings.webhookAllow),
    log: options.log,
  };
}

/** A caller in a transaction can need a second connection. */
const connectionsMin = 2;

/** Calls of organizations run under their own role. They get half of the connections. */
function shareConnections(
  poolMax: number,
  { hasRowSecurity, answersCalls }: { readonly hasRowSecurity: boolean; readonly answersCalls: boolean },
): { readonly poolMax: number; readonly tenants?: number | "unrestricted" } {
  if (!answersCalls) return { poolMax };
  if (!hasRowSecurity) return { poolMax, tenants: "unrestricted" };
  const tenants = Math.max(connectionsMin, Math.floor(poolMax / 2));
  return { poolMax: Math.max(connectionsMin, poolMax - tenants), tenants };
}

/** Returns the API's view of the services. */
export function createControl(services: Services, settings: ServiceSettings, publicUrl: string): Control {
  return {
    ...services,
    admission: createAdmission(services.db, { workerSeenWithinMs, notifier: services.notifier }),
    feeds: createSessionFeeds(services),
    streams: createStreamLimiter(),
    scratch: createScratchSpace(settings.scratchBytes),
    organizationCreation: settings.organizationCreation,
    turnBounds: {
      memoryMaxBytes: settings.turnBounds.memoryMaxBytes ?? limits.turnMemoryBytesDefault,
      cpusMax: settings.turnBounds.cpusMax,
    },
    publicUrl,
    urlSigningKey: deriveKey(masterKeyOf(settings), "upload-urls"),
  };
}

/** 0 in the environment means no limit. */
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

/** Returns the worker's job source; undefined without Redis. */
export function openTurnSourceIfQueued(settings: ServiceSettings): TurnSource | undefined {
  const location = queueLocation(settings);
  return location === undefined ? undefined : openTurnSource(location, { lockMs: settings.leaseMs });
}

/** Without a queue, workers pull dispatched turns. */
const pullOnly: TurnDelivery = {
  available: false,
  deliver: () => Promise.reject(new Error("no queue is configured")),
};

function queueLocation(settings: ServiceSettings): QueueLocation | undefined {
  if (settings.redisUrl === undefined) return undefined;
  return { redisUrl: settings.redisUrl.reveal(), prefix: settings.queuePrefix, pool: settings.pool };
}

async function openBlobs(settings: ServiceSettings): Promise<BlobStore> {
  const { dir, bucket, endpoint, publicUrl, accessKeyId, secretAccessKey, region, forcePathStyle, requestChecksums } =
    settings.blobs;
  if (dir !== undefined) return createFilesystemBlobStore({ root: dir });
  const { createS3BlobStore } = await import("@dari/blobs/s3");
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

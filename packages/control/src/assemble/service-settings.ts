// The settings that every program of the platform shares: where its services are and under which key secrets lie.

import { Redacted } from "@dari/domain";
import {
  boolean,
  integer,
  logLevels,
  oneOf,
  secret,
  secretUrl,
  string,
  url,
  type ConfigOf,
  type ConfigProblem,
} from "@dari/runtime";

/** Spread into an app's own specification. */
export const serviceSettings = {
  databaseUrl: secretUrl({
    env: "DATABASE_URL",
    protocols: ["postgres", "postgresql"],
    about: "PostgreSQL 15 or newer.",
  }),
  databasePoolMax: integer({ env: "DARI_DATABASE_POOL", min: 2, max: 200, default: 20, about: "Connections at most." }),
  redisUrl: secretUrl({
    env: "REDIS_URL",
    protocols: ["redis", "rediss"],
    optional: true,
    about: "Redis 6.2 or Valkey; without it workers pull from the database.",
  }),
  queuePrefix: string({
    env: "DARI_QUEUE_PREFIX",
    default: "dari",
    pattern: /^[a-z0-9-]{1,40}$/,
    about: "Namespace in Redis.",
  }),
  pool: string({ env: "DARI_POOL", default: "default", pattern: /^[a-z0-9-]{1,40}$/, about: "Workers of one kind." }),
  blobs: {
    dir: string({ env: "DARI_BLOBS_DIR", optional: true, about: "Keeps objects in this directory instead of in S3." }),
    bucket: string({ env: "S3_BUCKET", optional: true, about: "The bucket for objects." }),
    endpoint: url({ env: "S3_ENDPOINT", optional: true, about: "Of an S3 server that is not AWS." }),
    region: string({ env: "S3_REGION", default: "us-east-1", about: "Of the bucket." }),
    publicUrl: url({
      env: "S3_PUBLIC_URL",
      optional: true,
      about: "Where clients reach the S3 server, if they may: uploads and downloads can then go straight to it.",
    }),
    accessKeyId: string({ env: "S3_ACCESS_KEY_ID", optional: true, about: "Else the usual sources of credentials." }),
    secretAccessKey: secret({ env: "S3_SECRET_ACCESS_KEY", optional: true, about: "Belongs to the access key." }),
    forcePathStyle: boolean({
      env: "S3_FORCE_PATH_STYLE",
      optional: true,
      about: "Bucket in the path; default: with an endpoint.",
    }),
    requestChecksums: oneOf(["when_supported", "when_required"], {
      env: "S3_CHECKSUMS",
      default: "when_supported",
      about: "when_required: for servers that refuse the SDK's trailing checksums.",
    }),
  },
  organizationCreation: oneOf(["operators", "anyone"], {
    env: "DARI_ORGANIZATION_CREATION",
    default: "operators",
    about: "Whose admin keys create organizations; each has a share of the fleet of its own.",
  }),
  masterKey: secret({ env: "DARI_MASTER_KEY", about: "32 bytes as base64 or hex; seals credentials." }),
  leaseMs: integer({
    env: "DARI_LEASE_MS",
    unit: "ms",
    min: 3_000,
    max: 600_000,
    default: 15_000,
    about: "How long a turn is held by a worker that says nothing.",
  }),
  logLevel: oneOf(logLevels, { env: "DARI_LOG_LEVEL", default: "info", about: "The least level that is written." }),
} as const;

export type ServiceSettings = ConfigOf<typeof serviceSettings>;

/** What single fields cannot see. */
export function checkServiceSettings(settings: ServiceSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (decodeKey(settings.masterKey.reveal()) === undefined) {
    problems.push({
      env: "DARI_MASTER_KEY",
      message: "expected 32 bytes as base64 or hex, as `openssl rand -base64 32` prints",
    });
  }
  if ((settings.blobs.dir === undefined) === (settings.blobs.bucket === undefined)) {
    problems.push({ env: "S3_BUCKET", message: "set either S3_BUCKET or DARI_BLOBS_DIR" });
  }
  const { accessKeyId, secretAccessKey } = settings.blobs;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    problems.push({ env: "S3_ACCESS_KEY_ID", message: "goes together with S3_SECRET_ACCESS_KEY" });
  }
  return problems;
}

export function masterKeyOf(settings: ServiceSettings): Redacted<Buffer> {
  const key = decodeKey(settings.masterKey.reveal());
  if (key === undefined) throw new Error("DARI_MASTER_KEY has not 32 bytes");
  return new Redacted(key);
}

function decodeKey(text: string): Buffer | undefined {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  return key.length === 32 ? key : undefined;
}

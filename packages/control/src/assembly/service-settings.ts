// The settings that every program of the platform shares: where its services are and under which key secrets lie.

import { readFileSync } from "node:fs";
import { receiverPolicyOf } from "@dari/control/outbound";
import { limits, Redacted } from "@dari/domain";
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
  databasePoolMax: integer({
    env: "DARI_DATABASE_POOL",
    min: 2,
    max: 200,
    default: 20,
    about: "Connections at most; where calls are answered, half of them are for those of organizations.",
  }),
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
  rates: {
    requestsPerMinute: integer({
      env: "DARI_MAX_REQUESTS_PER_MINUTE",
      default: limits.requestsPerMinute,
      about: "Of an organization's keys together, where operators set nothing else; 0: no bound.",
    }),
    messagesPerMinute: integer({
      env: "DARI_MAX_MESSAGES_PER_MINUTE",
      default: limits.messagesPerMinute,
      about: "Sent by an organization's keys together, where operators set nothing else; 0: no bound.",
    }),
    uploadBytesPerHour: integer({
      env: "DARI_MAX_UPLOAD_BYTES_PER_HOUR",
      default: limits.uploadBytesPerHour,
      about: "Of an organization's keys together, where operators set nothing else; 0: no bound.",
    }),
  },
  scratchBytes: integer({
    env: "DARI_SCRATCH_BYTES",
    min: 1024 ** 2,
    default: limits.scratchBytes,
    about: "Held in TMPDIR by an API process's calls at once: workspace files, imports, bundles.",
  }),
  masterKey: secret({
    env: "DARI_MASTER_KEY",
    optional: true,
    about: "32 bytes as base64 or hex; seals credentials. Required, unless DARI_MASTER_KEY_FILE is set.",
  }),
  masterKeyFile: string({ env: "DARI_MASTER_KEY_FILE", optional: true, about: "A file that holds the master key." }),
  oldMasterKeys: secret({
    env: "DARI_MASTER_KEYS_OLD",
    optional: true,
    about: "Former master keys, separated by commas: they open what was sealed under them, and seal nothing.",
  }),
  webhookAllow: string({
    env: "DARI_WEBHOOK_ALLOW",
    default: "",
    about:
      "Receivers of webhooks that may be private or without TLS, as address:port or name:port, separated by commas: " +
      "for development and tests, as 127.0.0.1:8080. Every organization may name them.",
  }),
  leaseMs: integer({
    env: "DARI_LEASE_MS",
    unit: "ms",
    min: 3_000,
    max: 600_000,
    default: limits.leaseMs,
    about: "How long a turn is held by a worker that says nothing.",
  }),
  metricsByOrganization: boolean({
    env: "DARI_METRICS_BY_ORGANIZATION",
    default: false,
    about: "Adds metrics with a label for the organization, up to 200 of them per process.",
  }),
  healthPort: integer({
    env: "DARI_HEALTH_PORT",
    max: 65_535,
    optional: true,
    about: "Serves /healthz, /readyz and /metrics without a key; API and standalone platform serve them on DARI_HOST.",
  }),
  traces: {
    endpoint: url({
      env: "OTEL_EXPORTER_OTLP_ENDPOINT",
      optional: true,
      about: "Of an OpenTelemetry collector, OTLP over HTTP, usually port 4318: traces of messages go there.",
    }),
    headers: secret({
      env: "OTEL_EXPORTER_OTLP_HEADERS",
      optional: true,
      about: "For the collector: name=value, separated by commas.",
    }),
    percent: integer({
      env: "DARI_TRACE_PERCENT",
      max: 100,
      default: 100,
      about: "How many of a hundred messages are traced.",
    }),
  },
  logLevel: oneOf(logLevels, { env: "DARI_LOG_LEVEL", default: "info", about: "The least level that is written." }),
} as const;

export type ServiceSettings = ConfigOf<typeof serviceSettings>;

/** What single fields cannot see. */
export function checkServiceSettings(settings: ServiceSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  problems.push(...masterKeyProblems(settings), ...webhookProblems(settings));
  if ((settings.blobs.dir === undefined) === (settings.blobs.bucket === undefined)) {
    problems.push({ env: "S3_BUCKET", message: "set either S3_BUCKET or DARI_BLOBS_DIR" });
  }
  const { accessKeyId, secretAccessKey } = settings.blobs;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    problems.push({ env: "S3_ACCESS_KEY_ID", message: "goes together with S3_SECRET_ACCESS_KEY" });
  }
  return problems;
}

/** @throws Error when there is none, or the file cannot be read. */
export function masterKeyOf(settings: ServiceSettings): Redacted<Buffer> {
  const key = decodeKey(masterKeyText(settings) ?? "");
  if (key === undefined) throw new Error("the master key has not 32 bytes");
  return new Redacted(key);
}

/** Keys that only open. */
export function oldMasterKeysOf(settings: ServiceSettings): Redacted<Buffer>[] {
  return oldKeyTexts(settings).map((text) => {
    const key = decodeKey(text);
    if (key === undefined) throw new Error("an old master key has not 32 bytes");
    return new Redacted(key);
  });
}

function masterKeyProblems(settings: ServiceSettings): ConfigProblem[] {
  const expected = "32 bytes as base64 or hex, as `openssl rand -base64 32` prints";
  const problems: ConfigProblem[] = [];
  const env = settings.masterKeyFile === undefined ? "DARI_MASTER_KEY" : "DARI_MASTER_KEY_FILE";
  if ((settings.masterKey === undefined) === (settings.masterKeyFile === undefined)) {
    problems.push({ env: "DARI_MASTER_KEY", message: "set either DARI_MASTER_KEY or DARI_MASTER_KEY_FILE" });
  } else {
    try {
      if (decodeKey(masterKeyText(settings) ?? "") === undefined)
        problems.push({ env, message: `expected ${expected}` });
    } catch (error) {
      problems.push({ env, message: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown"}` });
    }
  }
  if (oldKeyTexts(settings).some((text) => decodeKey(text) === undefined)) {
    problems.push({ env: "DARI_MASTER_KEYS_OLD", message: `expected ${expected}, separated by commas` });
  }
  return problems;
}

function webhookProblems({ webhookAllow }: ServiceSettings): ConfigProblem[] {
  try {
    receiverPolicyOf(webhookAllow);
    return [];
  } catch (error) {
    return [{ env: "DARI_WEBHOOK_ALLOW", message: (error as Error).message }];
  }
}

function masterKeyText(settings: ServiceSettings): string | undefined {
  const { masterKey, masterKeyFile } = settings;
  return masterKeyFile === undefined ? masterKey?.reveal() : readFileSync(masterKeyFile, "utf8").trim();
}

function oldKeyTexts(settings: ServiceSettings): string[] {
  const texts = settings.oldMasterKeys?.reveal().split(",") ?? [];
  return texts.map((text) => text.trim()).filter((text) => text !== "");
}

function decodeKey(text: string): Buffer | undefined {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  return key.length === 32 ? key : undefined;
}

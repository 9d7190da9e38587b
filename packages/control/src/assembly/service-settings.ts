// Settings that all programs share: addresses of services, the master key, limits, traces and logs.

import { readFileSync } from "node:fs";
import { parseReceiverPolicy } from "@dari/control/outbound";
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

/** Each program spreads these into its own settings. */
export const serviceSettings = {
  databaseUrl: secretUrl({
    env: "DATABASE_URL",
    protocols: ["postgres", "postgresql"],
    about: "URL of the PostgreSQL database, version 15 or newer.",
  }),
  databasePoolMax: integer({
    env: "DARI_DATABASE_POOL",
    min: 2,
    max: 200,
    default: 20,
    about:
      "Maximum number of database connections of the process. An API uses half of them for organizations' requests.",
  }),
  redisUrl: secretUrl({
    env: "REDIS_URL",
    protocols: ["redis", "rediss"],
    optional: true,
    about: "URL of Redis 6.2 or newer, or Valkey. Without it, workers pull turns from the database.",
  }),
  queuePrefix: string({
    env: "DARI_QUEUE_PREFIX",
    default: "dari",
    pattern: /^[a-z0-9-]{1,40}$/,
    about: "Prefix of all keys in Redis.",
  }),
  pool: string({
    env: "DARI_POOL",
    default: "default",
    pattern: /^[a-z0-9-]{1,40}$/,
    about: "Name of the worker pool. Workers of a pool take turns from its queue.",
  }),
  blobs: {
    dir: string({
      env: "DARI_BLOBS_DIR",
      optional: true,
      about: "Directory to store objects in. Set either this or S3_BUCKET.",
    }),
    bucket: string({
      env: "S3_BUCKET",
      optional: true,
      about: "S3 bucket to store objects in. Set either this or DARI_BLOBS_DIR.",
    }),
    endpoint: url({ env: "S3_ENDPOINT", optional: true, about: "URL of an S3 server other than AWS." }),
    region: string({ env: "S3_REGION", default: "us-east-1", about: "Region of the bucket." }),
    publicUrl: url({
      env: "S3_PUBLIC_URL",
      optional: true,
      about:
        "URL at which clients reach the S3 server. If set, clients can upload to it and download from it directly.",
    }),
    accessKeyId: string({
      env: "S3_ACCESS_KEY_ID",
      optional: true,
      about: "Access key for S3. Unset: the AWS SDK's default sources.",
    }),
    secretAccessKey: secret({ env: "S3_SECRET_ACCESS_KEY", optional: true, about: "Secret of the access key." }),
    forcePathStyle: boolean({
      env: "S3_FORCE_PATH_STYLE",
      optional: true,
      about: "Whether the bucket is in the URL's path instead of its host name. Unset: true if S3_ENDPOINT is set.",
    }),
    requestChecksums: oneOf(["when_supported", "when_required"], {
      env: "S3_CHECKSUMS",
      default: "when_supported",
      about: "When the SDK sends checksums. Use when_required for servers that refuse its trailing checksums.",
    }),
  },
  organizationCreation: oneOf(["operators", "anyone"], {
    env: "DARI_ORGANIZATION_CREATION",
    default: "operators",
    about:
      "Which admin keys can create organizations: only operators', or anyone's. Each organization gets its own share " +
      "of the fleet.",
  }),
  rates: {
    requestsPerMinute: integer({
      env: "DARI_MAX_REQUESTS_PER_MINUTE",
      default: limits.requestsPerMinute,
      about: "Requests per minute of one organization, unless operators set its own limit; 0 disables the limit.",
    }),
    messagesPerMinute: integer({
      env: "DARI_MAX_MESSAGES_PER_MINUTE",
      default: limits.messagesPerMinute,
      about: "Messages per minute of one organization, unless operators set its own limit; 0 disables the limit.",
    }),
    uploadBytesPerHour: integer({
      env: "DARI_MAX_UPLOAD_BYTES_PER_HOUR",
      default: limits.uploadBytesPerHour,
      about: "Bytes that one organization uploads per hour, unless operators set its own limit; 0 disables the limit.",
    }),
  },
  turnBounds: {
    memoryMaxBytes: integer({
      env: "DARI_TURN_MEMORY_MAX_BYTES",
      unit: "bytes",
      min: limits.turnMemoryBytesMin,
      max: limits.turnMemoryBytesMax,
      optional: true,
      about:
        "Most memory of a turn, in bytes, also of an agent that asks for none. An agent that asks for more " +
        "with runtime.memory is refused when it is published. Set it for the API and the workers. " +
        "Unset: DARI_TURN_MEMORY_BYTES on workers, and its default on the API.",
    }),
    cpusMax: integer({
      env: "DARI_TURN_CPUS_MAX",
      min: 1,
      max: limits.turnCpusMax,
      optional: true,
      about:
        "Most processors of a turn, also of an agent that asks for none. An agent that asks for more with " +
        "runtime.cpus is refused when it is published. Set it for the API and the workers, which need " +
        "[control groups](#drivers-and-control-groups) to enforce it. " +
        "Unset: DARI_TURN_CPUS on workers, and no bound on the API.",
    }),
  },
  scratchBytes: integer({
    env: "DARI_SCRATCH_BYTES",
    min: 1024 ** 2,
    default: limits.scratchBytes,
    about: "Maximum bytes that the requests of one API process hold in TMPDIR: workspace files, imports, bundles.",
  }),
  masterKey: secret({
    env: "DARI_MASTER_KEY",
    optional: true,
    about: "Key that encrypts secrets: 32 bytes as base64 or hexadecimal. Required unless DARI_MASTER_KEY_FILE is set.",
  }),
  masterKeyFile: string({
    env: "DARI_MASTER_KEY_FILE",
    optional: true,
    about: "Path of a file that contains the master key.",
  }),
  oldMasterKeys: secret({
    env: "DARI_MASTER_KEYS_OLD",
    optional: true,
    about: "Earlier master keys, separated by commas. They decrypt existing secrets and encrypt nothing new.",
  }),
  webhookAllow: string({
    env: "DARI_WEBHOOK_ALLOW",
    default: "",
    about:
      "Webhook receivers that may be private or use plain HTTP, for development and tests: address:port or " +
      "name:port, separated by commas, for example 127.0.0.1:8080. All organizations may use them.",
  }),
  leaseMs: integer({
    env: "DARI_LEASE_MS",
    unit: "ms",
    min: 3_000,
    max: 600_000,
    default: limits.leaseMs,
    about:
      "How long a claim is valid without renewal, in milliseconds. After that, another worker runs the turn again if " +
      "an attempt is left; otherwise it fails with worker_lost.",
  }),
  metricsByOrganization: boolean({
    env: "DARI_METRICS_BY_ORGANIZATION",
    default: false,
    about: "Whether to add metrics with a label for the organization; at most 200 organizations per process.",
  }),
  healthPort: integer({
    env: "DARI_HEALTH_PORT",
    max: 65_535,
    optional: true,
    about:
      "Port that serves /healthz, /readyz and /metrics without a key: on DARI_HOST for the API and npm start, on all " +
      "addresses for a worker or reconciler.",
  }),
  traces: {
    endpoint: url({
      env: "OTEL_EXPORTER_OTLP_ENDPOINT",
      optional: true,
      about: "URL of an OpenTelemetry collector that gets traces of messages: OTLP over HTTP, usually port 4318.",
    }),
    headers: secret({
      env: "OTEL_EXPORTER_OTLP_HEADERS",
      optional: true,
      about: "Headers for the collector: name=value, separated by commas.",
    }),
    percent: integer({
      env: "DARI_TRACE_PERCENT",
      max: 100,
      default: 100,
      about: "Percentage of messages that are traced.",
    }),
  },
  logLevel: oneOf(logLevels, {
    env: "DARI_LOG_LEVEL",
    default: "info",
    about: "Lowest log level to write.",
  }),
} as const;

export type ServiceSettings = ConfigOf<typeof serviceSettings>;

/** Checks combinations of settings. */
export function checkServiceSettings(settings: ServiceSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  problems.push(...masterKeyProblems(settings), ...webhookProblems(settings));
  if ((settings.blobs.dir === undefined) === (settings.blobs.bucket === undefined)) {
    problems.push({ env: "S3_BUCKET", message: "set either S3_BUCKET or DARI_BLOBS_DIR" });
  }
  const { accessKeyId, secretAccessKey } = settings.blobs;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    problems.push({ env: "S3_ACCESS_KEY_ID", message: "set it together with S3_SECRET_ACCESS_KEY" });
  }
  return problems;
}

/** @throws Error if there is no key, or the file cannot be read. */
export function masterKeyOf(settings: ServiceSettings): Redacted<Buffer> {
  const key = decodeKey(masterKeyText(settings) ?? "");
  if (key === undefined) throw new Error("the master key must have 32 bytes");
  return new Redacted(key);
}

/** Returns former keys, which only decrypt. */
export function oldMasterKeysOf(settings: ServiceSettings): Redacted<Buffer>[] {
  return oldKeyTexts(settings).map((text) => {
    const key = decodeKey(text);
    if (key === undefined) throw new Error("an old master key must have 32 bytes");
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
      problems.push({ env, message: `cannot read the file: ${(error as NodeJS.ErrnoException).code ?? "unknown"}` });
    }
  }
  if (oldKeyTexts(settings).some((text) => decodeKey(text) === undefined)) {
    problems.push({ env: "DARI_MASTER_KEYS_OLD", message: `expected ${expected}, separated by commas` });
  }
  return problems;
}

function webhookProblems({ webhookAllow }: ServiceSettings): ConfigProblem[] {
  try {
    parseReceiverPolicy(webhookAllow);
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

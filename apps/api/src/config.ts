// Reads the API's settings from the environment, once. Nothing else of this program looks there.

import { Redacted } from "@dari/domain";
import {
  boolean,
  integer,
  logLevels,
  oneOf,
  readConfig,
  secret,
  secretUrl,
  string,
  url,
  type ConfigOf,
  type ConfigProblem,
  type Environment,
} from "@dari/runtime";

export const configSpec = {
  host: string({ env: "DARI_HOST", default: "127.0.0.1", about: "The address to listen on." }),
  port: integer({ env: "DARI_PORT", default: 4870, max: 65_535, about: "The port to listen on." }),
  publicUrl: url({
    env: "DARI_PUBLIC_URL",
    optional: true,
    about: "Where clients reach the API; upload URLs start with it.",
  }),
  masterKey: secret({ env: "DARI_MASTER_KEY", about: "32 bytes as base64 or hex; seals every secret." }),
  logLevel: oneOf(logLevels, { env: "DARI_LOG_LEVEL", default: "info", about: "The least level that is written." }),
  databaseUrl: secretUrl({
    env: "DATABASE_URL",
    protocols: ["postgres", "postgresql"],
    about: "PostgreSQL, as a role that may become dari_app.",
  }),
  redisUrl: secretUrl({
    env: "REDIS_URL",
    protocols: ["redis", "rediss"],
    optional: true,
    about: "Redis or Valkey; without it workers pull from PostgreSQL.",
  }),
  blobs: {
    dir: string({ env: "DARI_BLOBS_DIR", optional: true, about: "A folder for objects, instead of S3." }),
    s3: {
      bucket: string({ env: "S3_BUCKET", optional: true, about: "The bucket for objects." }),
      endpoint: url({ env: "S3_ENDPOINT", optional: true, about: "An S3 server other than Amazon's." }),
      region: string({ env: "S3_REGION", default: "us-east-1", about: "The bucket's region." }),
      accessKeyId: string({ env: "S3_ACCESS_KEY_ID", optional: true, about: "Else the usual sources of credentials." }),
      secretAccessKey: secret({ env: "S3_SECRET_ACCESS_KEY", optional: true, about: "Belongs to the access key." }),
      forcePathStyle: boolean({ env: "S3_FORCE_PATH_STYLE", default: false, about: "The bucket in the path." }),
    },
  },
} as const;

export type ApiConfig = Omit<ConfigOf<typeof configSpec>, "masterKey"> & { readonly masterKey: Redacted<Buffer> };

/** @throws ConfigError with every problem at once. */
export function readApiConfig(env: Environment = process.env): ApiConfig {
  const config = readConfig(configSpec, env, { check });
  return { ...config, masterKey: new Redacted(decodeMasterKey(config.masterKey) ?? Buffer.alloc(0)) };
}

function check(config: ConfigOf<typeof configSpec>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (decodeMasterKey(config.masterKey) === undefined) {
    problems.push({ env: "DARI_MASTER_KEY", message: "expected 32 bytes as base64 or hex: openssl rand -base64 32" });
  }
  const { dir, s3 } = config.blobs;
  if ((dir === undefined) === (s3.bucket === undefined)) {
    problems.push({ env: "S3_BUCKET", message: "set either S3_BUCKET or DARI_BLOBS_DIR" });
  }
  if ((s3.accessKeyId === undefined) !== (s3.secretAccessKey === undefined)) {
    problems.push({ env: "S3_ACCESS_KEY_ID", message: "goes together with S3_SECRET_ACCESS_KEY" });
  }
  return problems;
}

function decodeMasterKey(key: Redacted): Buffer | undefined {
  const text = key.reveal();
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  return bytes.length === 32 ? bytes : undefined;
}

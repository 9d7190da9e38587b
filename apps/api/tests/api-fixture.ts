// A listening API with its own database and folder, and short ways to call it.

import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import type { BlobStore } from "@dari/blobs";
import type { Control } from "@dari/control/context";
import type { PlatformMetrics } from "@dari/control/operations";
import { createSessionFeeds, createStreamLimiter } from "@dari/control/outbound";
import { createSnapshotTrees } from "@dari/control/storage";
import { createRateLimiter, createSealer, type RateDefaults } from "@dari/control/tenants";
import { createBacklog, readEvents } from "@dari/control/turns";
import { createScratchSpace } from "@dari/runtime";
import { createPgNotifier, createPgPreviews, type Database } from "@dari/db";
import { Redacted, type Previews } from "@dari/domain";
import { createTestDatabase, createTestOrganization, type Services, type TestOrganization } from "@dari/testkit";
import { openTestS3Store, openTestStore } from "@dari/testkit/store";
import { findUndescribedEvents } from "@dari/testkit/events";
import type { CallSettings } from "../src/http/call.ts";
import type { BoardQueue } from "../src/ops/board-call.ts";
import type { OidcSettings } from "../src/sign-in/oidc-provider.ts";
import { startApi, type RunningApi } from "../src/index.ts";

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export interface TestReply {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; empty if the body is not JSON. */
  readonly json: Record<string, unknown> & { data?: unknown; detail?: string; code?: string };
  readonly text: string;
}

export interface CallOptions {
  /** The key (default: the organization's admin key); null: none. */
  readonly key?: string | null;
  /** An object is sent as JSON; bytes and forms unchanged. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface TestApi extends AsyncDisposable {
  readonly api: RunningApi;
  readonly url: string;
  readonly control: Control;
  readonly db: Database;
  /** Returns the names of all stored objects. */
  objects(): Promise<string[]>;
  readonly log: readonly LogLine[];
  /** The organization whose key calls use. */
  readonly org: TestOrganization;
  /** Another organization, with its own admin key. */
  readonly stranger: TestOrganization;
  /** The organization whose admin key is an operator's. */
  readonly operator: TestOrganization;
  /** Sends previews of a running turn, as a worker does. */
  readonly previews: Previews;
  call(method: string, path: string, options?: CallOptions): Promise<TestReply>;
}

export interface TestApiOptions {
  readonly settings?: Partial<CallSettings>;
  /** Stores objects in this server, which clients can reach. Absent: in the store of the test run. */
  readonly s3?: Services["s3"];
  /** Default: no limit. */
  readonly rates?: Partial<RateDefaults>;
  /** Counted from the log and shown at /metrics. */
  readonly metrics?: PlatformMetrics;
  /** Shown at /ops/queues. */
  readonly queue?: BoardQueue;
  /** Served at /console. */
  readonly consoleDir?: string;
  /** Served at /packages. */
  readonly packagesDir?: string;
  readonly connectionFile?: string;
  /** The identity provider. */
  readonly oidc?: OidcSettings;
}

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  await using stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.close());
  const { db } = database;
  const blobsDir = await mkdtemp(join(tmpdir(), "dari-api-"));
  stack.defer(() => rm(blobsDir, { recursive: true, force: true }));
  const { s3 } = options;
  const blobs = s3 === undefined ? openTestStore(blobsDir) : openTestS3Store(s3, { publicUrl: s3.endpoint });
  stack.defer(() => blobs.close());
  await blobs.check();
  const notifier = createPgNotifier(db, "dari-test-notifier");
  stack.defer(() => notifier.close());
  const previews = createPgPreviews(db, "dari-test-previews");
  stack.defer(() => previews.close());
  const log: LogLine[] = [];
  const write = (level: string) => (fields: Record<string, unknown>, event: string) => {
    log.push({ level, event, fields });
    options.metrics?.observe(fields, event);
  };
  const logger = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const control: Control = {
    db,
    blobs,
    notifier,
    feeds: createSessionFeeds({ db, notifier, previews, log: logger, pollMs: 100 }),
    streams: createStreamLimiter(),
    scratch: createScratchSpace(),
    sealer: createSealer(new Redacted(randomBytes(32))),
    trees: createSnapshotTrees({ db, blobs }),
    delivery: { available: false, deliver: () => Promise.reject(new Error("there is no queue")) },
    admission: { mayDispatch: () => false },
    backlog: createBacklog(),
    rates: createRateLimiter(db, {
      requests: undefined,
      messages: undefined,
      upload_bytes: undefined,
      ...options.rates,
    }),
    log: logger,
    organizationCreation: "operators",
    // Replaced below: the port is not known before the server listens.
    publicUrl: "http://127.0.0.1",
    urlSigningKey: randomBytes(32),
  };
  const api = await startApi({
    control,
    host: "127.0.0.1",
    port: 0,
    graceMs: 2_000,
    app: {
      settings: options.settings ?? {},
      queue: options.queue,
      consoleDir: options.consoleDir,
      packagesDir: options.packagesDir,
      connectionFile: options.connectionFile,
      oidc: options.oidc,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    },
  });
  stack.defer(() => api.close());
  Object.assign(control, { publicUrl: api.url });
  const org = await createTestOrganization(db);
  const stranger = await createTestOrganization(db);
  const operator = await createTestOrganization(db, { operator: true });
  // Runs before the database is closed: the contract must describe every event of the suite.
  stack.defer(async () => expect(await findUndescribedEvents(db, readEvents)).toEqual([]));
  const owned = stack.move();
  return {
    api,
    url: api.url,
    control,
    db,
    objects: () => listObjects(blobs, blobsDir),
    log,
    previews,
    org,
    stranger,
    operator,
    call: (method, path, call) => send(api.url, org.apiKey, method, path, call),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns everything that is stored; in a folder also incomplete objects. */
async function listObjects(blobs: BlobStore, dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of blobs.list("")) names.push(key);
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const drafts = entries.filter((entry) => entry.isFile() && entry.parentPath.endsWith("/incoming"));
  return [...names, ...drafts.map(({ name }) => name)];
}

async function send(
  base: string,
  defaultKey: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<TestReply> {
  const key = options.key === undefined ? defaultKey : options.key;
  const isRaw =
    options.body instanceof Uint8Array || options.body instanceof FormData || typeof options.body === "string";
  const response = await fetch(path.startsWith("http") ? path : `${base}${path}`, {
    method,
    redirect: "manual",
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(options.body === undefined || isRaw ? {} : { "content-type": "application/json" }),
      ...options.headers,
    },
    ...(options.body === undefined
      ? {}
      : { body: isRaw ? (options.body as Uint8Array<ArrayBuffer>) : JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = text !== "" && (response.headers.get("content-type")?.startsWith("application/json") ?? false);
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
}

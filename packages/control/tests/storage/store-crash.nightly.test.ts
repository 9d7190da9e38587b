// An S3 server that is killed during saves and restarted: nothing committed is lost, nothing half-written is visible,
// and turns notice only a delay.

import { afterAll, describe, expect, test } from "@jest/globals";
import type { BlobBody, BlobStore } from "@dari/blobs";
import { createS3BlobStore } from "@dari/blobs/s3";
import { checkStore, createSnapshotTrees } from "@dari/control/storage";
import { findViolations } from "@dari/db";
import { Redacted } from "@dari/domain";
import { findS3Server, startS3Server, type TestS3Server } from "@dari/testkit";
import { checkSnapshotObject, restore, scan, treeHash } from "@dari/workspace";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWorkspaceFixture } from "./workspace-fixture.ts";

const command = findS3Server();
const MiB = 1024 * 1024;
const moments = ["before its first byte", "after its first piece", "after its last byte"] as const;
type Moment = (typeof moments)[number];

/** A server that dies at a moment of the next put, and is restarted on its port and files. */
class MortalServer implements AsyncDisposable {
  deaths = 0;
  next: Moment | undefined;
  readonly store: BlobStore;
  readonly #dir: string;
  #server: TestS3Server;
  #revival: Promise<void> = Promise.resolve();

  constructor(server: TestS3Server, dir: string) {
    this.#server = server;
    this.#dir = dir;
    const { region, endpoint, bucket, accessKeyId, secretAccessKey } = server.connection;
    const inner = createS3BlobStore({
      region,
      endpoint,
      bucket,
      accessKeyId,
      secretAccessKey: new Redacted(secretAccessKey),
    });
    this.store = { ...inner, put: (key, body, options) => inner.put(key, this.#mortal(body), options) };
  }

  async settled(): Promise<void> {
    await this.#revival;
  }

  async *#mortal(body: BlobBody): AsyncGenerator<Uint8Array> {
    const moment = this.next;
    this.next = undefined;
    if (moment === moments[0]) this.#die();
    let isFirst = true;
    for await (const piece of body instanceof Uint8Array ? [body] : body) {
      yield piece;
      if (isFirst && moment === moments[1]) this.#die();
      isFirst = false;
    }
    if (moment === moments[2]) this.#die();
  }

  #die(): void {
    this.deaths++;
    process.kill(this.#server.identity.pid, "SIGKILL");
    const dead = this.#server;
    this.#revival = (async () => {
      await dead[Symbol.asyncDispose]();
      const port = Number(new URL(dead.connection.endpoint).port);
      this.#server = await startS3Server(command ?? "", this.#dir, port);
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#revival;
    await this.store.close();
    await this.#server[Symbol.asyncDispose]();
  }
}

const stack = new AsyncDisposableStack();
afterAll(async () => {
  await stack.disposeAsync();
});

(command === undefined ? describe.skip : describe)("with a server that dies", () => {
  test("every snapshot that a row names is whole, and so is every object that can be seen", async () => {
    const dir = mkdtempSync(join(tmpdir(), "dari-crash-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const server = stack.use(new MortalServer(await startS3Server(command ?? "", dir), dir));
    await server.store.check();
    const fixture = stack.use(await openWorkspaceFixture(server.store));
    const worker = await fixture.newWorker();
    const session = await fixture.newSession();
    const trees = new Map<string, string>();
    for (let turn = 0; turn < 9; turn++) {
      // One put, or one of many parts.
      const bytes = turn % 2 === 0 ? 2_000 : 20 * MiB;
      server.next = moments[turn % moments.length];
      const { saved } = await fixture.turn(worker, session, (at) => {
        writeFileSync(join(at, "workspace", `file-${turn}`), randomBytes(bytes));
      });
      trees.set(saved.snapshot.id, saved.snapshot.treeHash);
      await server.settled();
    }
    expect(server.deaths).toBe(9);

    // Reads only the store, without cached data.
    const fresh = createSnapshotTrees(fixture);
    for (const [id, hash] of trees) {
      const { tree } = await fresh.load(fixture.organizationId, id);
      expect(treeHash(tree)).toBe(hash);
      const target = join(dir, id);
      await restore({ store: server.store, tree, dir: target });
      expect(treeHash((await scan(target)).tree)).toBe(hash);
    }
    for await (const { key } of server.store.list(fixture.organizationId)) await checkSnapshotObject(server.store, key);
    const context = { db: fixture.db, blobs: server.store, log: { info() {}, warn() {}, error() {}, debug() {} } };
    const { problems } = await checkStore(context, { limit: 1_000, deep: true });
    expect(problems.filter(({ what }) => what === "snapshot" || what === "content")).toEqual([]);
    expect(await findViolations(fixture.db)).toEqual([]);
  }, 180_000);
});

// Reads of a workspace whose stored object is damaged: every call has a status line, no call returns wrong bytes,
// intact files stay readable, and if the list of files itself is damaged, the last intact snapshot is read.

import { randomBytes } from "node:crypto";
import { createSnapshotTrees } from "@dari/control/storage";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

/** Each is stored in its own frames, because they do not compress. */
const first = { "first.bin": randomBytes(400_000).toString("base64") };
const second = { ...first, "second.bin": randomBytes(400_000).toString("base64"), "last.txt": "last" };

interface Damaged {
  readonly sessionId: string;
  readonly headId: string;
  readonly olderId: string;
}

async function headOf(sessionId: string): Promise<{ id: string; key: string }> {
  const { rows } = await api.db.pool.query<{ id: string; key: string }>(
    "select p.id, p.object_key as key from sessions s join snapshots p on p.id = s.head_snapshot_id where s.id = $1",
    [sessionId],
  );
  return rows[0]!;
}

async function turn(sessionId: string, files: Record<string, string>): Promise<{ id: string; key: string }> {
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  await complete(api, await claim(api), { files });
  return headOf(sessionId);
}

type Damage = (bytes: Buffer, other: Buffer) => Buffer | undefined;

const flip = (at: (length: number) => number) => (bytes: Buffer) => {
  const copy = Buffer.from(bytes);
  const place = at(bytes.length);
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
};

/** Damage that leaves the list of files intact, and so every file but one. */
const inContent: Record<string, Damage> = { "a bit near its end": flip((length) => length - 3) };
const inManifest: Record<string, Damage> = {
  "a bit of its header": flip(() => 5),
  "a bit of its list of files": flip(() => 120),
  "the second half gone": (bytes) => bytes.subarray(0, 80),
  "no bytes": () => Buffer.alloc(0),
  "nothing there": () => undefined,
  zeros: (bytes) => Buffer.alloc(bytes.length),
  "another session's object": (_bytes, other) => other,
};

/** Runs two turns and damages the second's object. Reads with a process without cached trees. */
async function damage(how: Damage): Promise<Damaged> {
  const strange = await createTestSession(api.db, api.org.organizationId, agentId);
  const other = await api.control.blobs.read((await turn(strange, { "strange.txt": "strange" })).key);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const older = await turn(sessionId, first);
  const head = await turn(sessionId, second);
  const bytes = how(await api.control.blobs.read(head.key), other);
  await api.control.blobs.delete([head.key]);
  if (bytes !== undefined) await api.control.blobs.put(head.key, bytes);
  Object.assign(api.control, { trees: createSnapshotTrees({ db: api.db, blobs: api.control.blobs }) });
  return { sessionId, headId: head.id, olderId: older.id };
}

const get = ({ sessionId }: Damaged, path: string): Promise<TestReply> =>
  api.call("GET", `/v1/sessions/${sessionId}/${path}`);
const contentOf = (at: Damaged, name: string): Promise<TestReply> => get(at, `files/content?path=/${name}`);
const from = (reply: TestReply): string | null => reply.headers.get("dari-restored-from");

test.each(Object.entries(inContent))("%s: only the file that is damaged cannot be read", async (_what, how) => {
  const at = await damage(how);
  const listed = await get(at, "files");
  expect([listed.status, from(listed)]).toEqual([200, null]);
  const texts: Record<string, string> = second;
  const damaged: string[] = [];
  for (const name of Object.keys(second)) {
    const reply = await contentOf(at, name);
    if (reply.status !== 200) {
      damaged.push(name);
      expect([reply.status, reply.json.code]).toEqual([500, "snapshot_damaged"]);
      expect(reply.headers.get("content-type")).toMatch(/^application\/json/);
      expect([reply.headers.get("etag"), reply.headers.get("content-disposition")]).toEqual([null, null]);
    } else expect(reply.text).toBe(texts[name]);
  }
  expect(damaged).toHaveLength(1);
  const [name] = damaged;
  const whole = await get(at, "workspace.zip?path=/first.bin");
  if (name !== "first.bin") expect(whole.status).toBe(200);
  const archive = await get(at, `workspace.tar.gz?path=/${name}`);
  if (second[name as keyof typeof second].length < 1_000) {
    expect([archive.status, archive.json.code]).toEqual([500, "snapshot_damaged"]);
  }
});

test.each(Object.entries(inManifest))(
  "%s: the newest intact snapshot is read, and the reply says so",
  async (_, how) => {
    const at = await damage(how);
    const listed = await get(at, "files");
    expect([listed.status, from(listed)]).toEqual([200, at.olderId]);
    expect((listed.json["entries"] as { path: string }[]).map(({ path }) => path)).toEqual(["/first.bin"]);
    const reply = await contentOf(at, "first.bin");
    expect([reply.status, from(reply), reply.text]).toEqual([200, at.olderId, first["first.bin"]]);
    expect((await contentOf(at, "second.bin")).status).toBe(404);
    for (const archive of ["workspace.tar.gz", "workspace.zip"]) {
      const whole = await get(at, archive);
      expect([whole.status, from(whole)]).toEqual([200, at.olderId]);
    }
    // A write would build on an unreadable snapshot. The session's next turn makes its head intact again.
    const path = `/v1/sessions/${at.sessionId}/files/content?path=/new.txt`;
    const written = await api.call("PUT", path, { body: Buffer.from("new") });
    expect([written.status, written.json.code]).toEqual([500, "snapshot_damaged"]);
  },
);

test("without an intact snapshot, a read fails and says so", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const head = await turn(sessionId, first);
  await api.control.blobs.delete([head.key]);
  Object.assign(api.control, { trees: createSnapshotTrees({ db: api.db, blobs: api.control.blobs }) });
  for (const path of ["files", "files/content?path=/first.bin", "workspace.zip", "workspace.tar.gz"]) {
    const reply = await api.call("GET", `/v1/sessions/${sessionId}/${path}`);
    expect([reply.status, reply.json.code]).toEqual([500, "snapshot_damaged"]);
    expect(reply.json.detail).not.toContain(head.key);
  }
  const logged = api.log.filter(({ event }) => event === "snapshot.damaged");
  expect(logged.at(-1)?.fields).toMatchObject({ org: api.org.organizationId, object_key: head.key });
});

// The files of a session's workspace: listed, read in ranges, and never outside of it.

import { routes, validate } from "@dari/contract";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete } from "./turn.ts";

let api: TestApi;
let sessionId: string;
let emptySessionId: string;
beforeAll(async () => {
  api = await startTestApi();
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  emptySessionId = await createTestSession(api.db, organizationId, agentId);
  sessionId = await createTestSession(api.db, organizationId, agentId);
  await createTestMessage(api.db, organizationId, sessionId);
  await complete(api, await claim(api), {
    files: { "output/reply.md": "0123456789", "output/deep/ünï.txt": "x", "top.txt": "" },
    links: { "link.md": "output/reply.md", out: "/workspace/output", evil: "/etc/passwd", loop: "loop" },
  });
});
afterAll(async () => api[Symbol.asyncDispose]());

function list(query: string): Promise<TestReply> {
  return api.call("GET", `/v1/sessions/${sessionId}/files${query}`);
}
function read(path: string, headers: Record<string, string> = {}): Promise<TestReply> {
  return api.call("GET", `/v1/sessions/${sessionId}/files/content?path=${encodeURIComponent(path)}`, { headers });
}

test("a directory is listed one level deep, sorted, with absolute paths", async () => {
  const root = await list("");
  expect(validate(routes.listSessionFiles.reply, root.json)).toEqual([]);
  expect(root.json).toEqual({
    path: "/",
    entries: [
      { path: "/evil", type: "symlink", size_bytes: null },
      { path: "/link.md", type: "symlink", size_bytes: null },
      { path: "/loop", type: "symlink", size_bytes: null },
      { path: "/out", type: "symlink", size_bytes: null },
      { path: "/output", type: "directory", size_bytes: null },
      { path: "/top.txt", type: "file", size_bytes: 0 },
    ],
  });
  const expected = {
    path: "/output",
    entries: [
      { path: "/output/deep", type: "directory", size_bytes: null },
      { path: "/output/reply.md", type: "file", size_bytes: 10 },
    ],
  };
  for (const path of ["/output", "/workspace/output", "output/", "//output/."]) {
    expect((await list(`?path=${path}`)).json).toEqual(expected);
  }
  const all = await list("?path=/output&recursive=1");
  expect((all.json["entries"] as { path: string }[]).map((entry) => entry.path)).toEqual([
    "/output/deep",
    "/output/deep/ünï.txt",
    "/output/reply.md",
  ]);
});

test("a session without a turn has an empty root and nothing else", async () => {
  expect((await api.call("GET", `/v1/sessions/${emptySessionId}/files`)).json).toEqual({ path: "/", entries: [] });
  expect((await api.call("GET", `/v1/sessions/${emptySessionId}/files?path=/output`)).status).toBe(404);
});

test("a file is read whole, in ranges, and by its ETag", async () => {
  const whole = await read("/output/reply.md");
  expect([whole.status, whole.text]).toEqual([200, "0123456789"]);
  expect((await read("/link.md")).text).toBe("0123456789");
  expect((await read("/out/reply.md")).text).toBe("0123456789");
  expect((await read("/output/deep/ünï.txt")).text).toBe("x");
  expect((await read("/top.txt")).text).toBe("");
  const part = await read("/output/reply.md", { range: "bytes=3-5" });
  expect([part.status, part.text, part.headers.get("content-range")]).toEqual([206, "345", "bytes 3-5/10"]);
  expect((await read("/output/reply.md", { "if-none-match": whole.headers.get("etag") ?? "" })).status).toBe(304);
});

test("a path that leaves the workspace is refused, a missing one is not found", async () => {
  for (const path of ["/../etc/passwd", "/output/../../x", "/evil", "/loop", "/a\0b"]) {
    expect([path, (await read(path)).status]).toEqual([path, 422]);
  }
  expect((await read("/output")).status).toBe(422);
  expect((await read("/")).status).toBe(422);
  expect((await read("/missing")).status).toBe(404);
  expect((await read("/top.txt/x")).status).toBe(404);
  expect((await list("?path=/missing")).status).toBe(404);
  expect((await list("?path=/top.txt")).status).toBe(404);
  expect((await list("?path=/..")).status).toBe(422);
  expect((await api.call("GET", `/v1/sessions/${sessionId}/files/content`)).status).toBe(422);
});

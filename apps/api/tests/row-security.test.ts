// What row-level security alone stops: every route with every id of another organization, in an API whose queries have
// lost their scoping. And that without it the same API shows everything, so that the scoping is really gone.

import { fillPath, routes, type Route, type RouteName } from "@dari/contract";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import {
  callWith,
  createRows,
  idsInPath,
  looksAt,
  rowsOf,
  unknown,
  walkedRoutes,
  withoutIds,
  type Ids,
} from "./foreign-ids.ts";
import { removeScoping, type Unscoped } from "./unscoped.ts";

let api: TestApi;
let unscoped: Unscoped;
let own: Ids;
let foreign: Ids;

beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 1 } });
  unscoped = await removeScoping(api);
  own = await createRows(api, api.org);
  foreign = await createRows(api, api.stranger);
});
afterAll(async () => {
  await unscoped[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
});

/** Routes that name something of an organization's in their path; a stream does not end by itself. */
const named = walkedRoutes.filter((name) => idsInPath(routes[name]).some((slot) => slot !== "organization_id"));
const isStream = (name: RouteName): boolean => (routes[name] as Route).replyContent === "text/event-stream";
/** The key in these rows belongs to no app, so it is not found in any case. */
const answering = named.filter((name) => !isStream(name) && name !== "disconnectApp");

/** The answers to a stranger's path and to nobody's; the organization in it is the caller's, as another is refused. */
async function bothWays(name: RouteName): Promise<[theirs: unknown, nobodys: unknown]> {
  const organization = { organization_id: api.org.organizationId };
  const { path } = routes[name];
  const fileOf = (ids: Ids): Ids => (path.startsWith("/openai/") ? { file_id: ids["openai_file_id"]! } : {});
  // What has a row and no bytes breaks off in the middle of its answer.
  const answerTo = (ids: Ids): Promise<unknown> =>
    callWith(api, name, path, { ...ids, ...fileOf(ids), ...organization }).then(
      (reply) => withoutIds(reply, ids),
      () => "broken off",
    );
  return [await answerTo(foreign), await answerTo(unknown)];
}

test("row-level security alone answers another organization's ids like unknown ones", async () => {
  const before = await rowsOf(api, api.stranger.organizationId);
  let looks = 0;
  for await (const { name, slot, theirs, nobodys } of looksAt(api, own, foreign)) {
    expect([name, slot, withoutIds(theirs, foreign)]).toEqual([name, slot, withoutIds(nobodys, unknown)]);
    expect([name, slot, theirs.status]).not.toEqual([name, slot, 500]);
    looks += 1;
  }
  expect(looks).toBeGreaterThan(walkedRoutes.length);
  expect(await rowsOf(api, api.stranger.organizationId)).toEqual(before);
});

test("row-level security alone shows and changes nothing if the whole path is another organization's", async () => {
  const before = await rowsOf(api, api.stranger.organizationId);
  for (const name of named) {
    const [theirs, nobodys] = await bothWays(name);
    expect([name, theirs]).toEqual([name, nobodys]);
  }
  expect(await rowsOf(api, api.stranger.organizationId)).toEqual(before);
});

test("without row-level security, the same calls show and change another organization's rows", async () => {
  await unscoped.lowerFence();
  const stopped = [];
  for (const path of ["/v1/sessions/{session_id}/stream", "/v1/messages/{message_id}/stream"]) {
    if (!(await isOpened(fillPath(path, foreign as never)))) stopped.push(path);
  }
  const before = await rowsOf(api, api.stranger.organizationId);
  // What only reads goes first, and what deletes last.
  const order = ["GET", "PATCH", "PUT", "POST", "DELETE"];
  const rank = (name: RouteName): number => order.indexOf(routes[name].method);
  // A resource goes before the one that contains it.
  const depth = (name: RouteName): number => routes[name].path.split("/").length;
  const inOrder = (left: RouteName, right: RouteName) => rank(left) - rank(right) || depth(right) - depth(left);
  for (const name of answering.toSorted(inOrder)) {
    const [theirs, nobodys] = await bothWays(name);
    if (JSON.stringify(theirs) === JSON.stringify(nobodys)) stopped.push(name);
  }
  expect(stopped).toEqual([]);
  expect(await rowsOf(api, api.stranger.organizationId)).not.toEqual(before);
});

/** Whether a stream is begun. */
async function isOpened(path: string): Promise<boolean> {
  const response = await fetch(`${api.url}${path}`, { headers: { authorization: `Bearer ${api.org.apiKey}` } });
  await response.body?.cancel();
  return response.status === 200;
}

// Every route with every foreign id: the rows, the calls, and what a call must not change. Uses the contract's route
// table, so new routes are included.

import { randomBytes } from "node:crypto";
import { fillPath, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import { budgets, invitations, members } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestBatch,
  createTestFile,
  createTestMessage,
  createTestSchedule,
  createTestSession,
  createTestSourceSnapshot,
  createTestTrigger,
  createTestWebhook,
  type TestOrganization,
} from "@dari/testkit";
import { expect } from "@jest/globals";
import type { TestApi, TestReply } from "./api-fixture.ts";
import { routeCases } from "./route-cases.ts";

export type Ids = Readonly<Record<string, string>>;

/** Routes that an organization's key can call. */
export const walkedRoutes = (Object.keys(routes) as RouteName[]).filter((name) => {
  const route: Route = routes[name];
  return route.scope !== null && route.scope !== "operator";
});

/** Returns the ids in a route's path. */
export function idsInPath(route: Route): string[] {
  return [...route.path.matchAll(/\{(\w+_id)\}/g)].map((match) => String(match[1]));
}

/** Creates one row of each noun that a path can name. */
export async function createRows(api: TestApi, { organizationId, keyId }: TestOrganization): Promise<Ids> {
  const { agentId, versionId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const messageId = await createTestMessage(api.db, organizationId, sessionId);
  const webhook = await createTestWebhook(api.db, organizationId);
  const budget = { id: newId("budget"), organizationId, scope: "agent", targetId: agentId, period: "total" } as const;
  const caps = { setBy: "organization", maxTurns: 1_000_000, maxTurnSeconds: null, maxTokens: null } as const;
  expect((await budgets.putBudgetIfBelow(api.db, { ...budget, ...caps }, 1)).outcome).toBe("put");
  const invitation = { id: newId("invitation"), organizationId, email: "guest@example.com", role: "member" };
  await invitations.putInvitationUnlessMember(api.db, { ...invitation, secretHash: randomBytes(32), validMs: 1e6 }, 9);
  const member = { id: newId("member"), organizationId, email: "person@example.com", role: "member" };
  await members.insertMemberIfNew(api.db, member);
  return {
    organization_id: organizationId,
    invitation_id: invitation.id,
    member_id: member.id,
    budget_id: budget.id,
    webhook_endpoint_id: webhook.endpointId,
    webhook_delivery_id: webhook.deliveryId,
    api_key_id: keyId,
    agent_id: agentId,
    version_id: versionId,
    session_id: sessionId,
    session_batch_id: await createTestBatch(api.db, organizationId, agentId),
    schedule_id: await createTestSchedule(api.db, organizationId, agentId),
    trigger_id: (await createTestTrigger(api.db, organizationId, agentId)).triggerId,
    message_id: messageId,
    ...(await createOpenAiRows(api, organizationId, agentId)),
    file_id: await createTestFile(api.db, organizationId),
    // Deleted by the route below /openai, which would otherwise leave the other route nothing to delete.
    openai_file_id: await createTestFile(api.db, organizationId),
    ...(await createCall(api, organizationId, sessionId, messageId)),
    source_snapshot_id: await createTestSourceSnapshot(api.db, organizationId),
  };
}

/** Creates a response and a conversation in sessions of their own: two routes that delete the same would differ. */
async function createOpenAiRows({ db }: TestApi, organizationId: string, agentId: string) {
  const messageId = await createTestMessage(db, organizationId, await createTestSession(db, organizationId, agentId));
  const sessionId = await createTestSession(db, organizationId, agentId);
  return { response_id: messageId.replace("msg", "resp"), conversation_id: sessionId.replace("sess", "conv") };
}

/** Creates a tool call of a message, and a value. */
export async function createCall({ db }: TestApi, organizationId: string, sessionId: string, messageId: string) {
  const [call_id, value_id] = [`call_${newId("value")}`, newId("value")];
  await db.pool.query(
    `with s as (update dari.sessions set next_event_number = next_event_number + 1 where id = $1
      returning next_event_number - 1 as n)
      insert into dari.events (session_id, sequence_number, organization_id, type, message_id, data)
      select $1, n, $2, 'tool.call_requested', $3, $4 from s`,
    [sessionId, organizationId, messageId, { call_id, name: "search", kind: "function", arguments: {} }],
  );
  await db.pool.query(
    `insert into dari.message_values (session_id, id, organization_id, message_id, object_key, media_type, size_bytes,
      sha256) values ($1, $2, $3, $4, $5, 'image/png', 1, '')`,
    [sessionId, value_id, organizationId, messageId, `${organizationId}/values/${value_id}`],
  );
  return { call_id, value_id };
}

/** Well-formed, but not existing. */
export const unknown: Ids = {
  organization_id: newId("organization"),
  invitation_id: newId("invitation"),
  member_id: newId("member"),
  api_key_id: newId("apiKey"),
  agent_id: newId("agent"),
  version_id: newId("version"),
  session_id: newId("session"),
  message_id: newId("message"),
  response_id: newId("message").replace("msg", "resp"),
  conversation_id: newId("session").replace("sess", "conv"),
  file_id: newId("file"),
  openai_file_id: newId("file"),
  source_snapshot_id: newId("sourceSnapshot"),
  webhook_endpoint_id: newId("webhookEndpoint"),
  webhook_delivery_id: newId("webhookDelivery"),
  budget_id: newId("budget"),
  schedule_id: newId("schedule"),
  trigger_id: newId("trigger"),
  session_batch_id: newId("sessionBatch"),
  call_id: `call_${newId("value")}`,
  value_id: newId("value"),
};

/** Parameters that are not ids, or unknown to this file, get a value that does not exist. */
export function pathOf(route: Route, path: string, ids: Ids): string {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => String(match[1]));
  const rest = Object.fromEntries(names.map((name) => [name, ids[name] ?? otherParameter(name)]));
  const query = "query" in route && /(content|bundle\/file)$/.test(route.path) ? "?path=/a" : "";
  return fillPath(path, rest as never) + query;
}

function otherParameter(name: string): string {
  return name === "attempt_number" ? "1" : name === "name" ? "A_SECRET" : "none_01jx5m0k8c3f7q2v9t4w6y8z1a";
}

/** Enough to be read. Whether it validates does not matter for who may call. */
export function bodyOf(route: Route): unknown {
  return route.request === undefined ? undefined : { name: "x" };
}

/** Calls with ids outside of paths; one id at a time is replaced by a foreign one. */
export const elsewhere: Partial<Record<RouteName, (ids: Ids) => { readonly body?: unknown; readonly query?: string }>> =
  {
    createAgent: (ids) => ({ body: { source_snapshot_id: ids["source_snapshot_id"] } }),
    createVersion: (ids) => ({ body: { source_snapshot_id: ids["source_snapshot_id"] } }),
    activateVersion: (ids) => ({ body: { version_id: ids["version_id"] } }),
    createSession: (ids) => ({ body: { version_id: ids["version_id"] } }),
    sendMessage: withFile,
    sendMessageSync: withFile,
    sendMessageAsync: withFile,
    sendMessageStream: withFile,
    sendUiMessage: ({ message_id, file_id }) => ({
      body: {
        trigger: "submit-message",
        messageId: message_id,
        message: {
          id: message_id,
          role: "user",
          parts: [{ type: "file", mediaType: "text/plain", url: `/v1/files/${file_id}/content` }],
        },
      },
    }),
    listUiMessages: (ids) => ({ query: `?before=${ids["message_id"]}` }),
    runAgUi: ({ message_id }) => ({
      body: {
        threadId: "t",
        runId: "r",
        messages: [],
        resume: [{ interruptId: `${message_id}:approve`, status: "resolved", payload: true }],
      },
    }),
    sendSessionEvent: (ids) => ({ body: eventWithFile(ids) }),
    sendAgentMessage: (ids) => ({ body: { ...eventWithFile(ids), session: { version_id: ids["version_id"] } } }),
    replayMessage: (ids) => ({ body: { version_id: ids["version_id"] } }),
    listRecordings: (ids) => ({ query: `?after=${ids["message_id"]}` }),
    retryMessage: (ids) => ({ body: { fork: true, version_id: ids["version_id"] } }),
    putBudget: (ids) => ({ body: { period: "day", max_turns: 1, agent_id: ids["agent_id"] } }),
    forkSession: (ids) => ({ body: { message_id: ids["message_id"], version_id: ids["version_id"] } }),
    rollBackSession: (ids) => ({ body: { message_id: ids["message_id"] } }),
    importSession: (ids) => ({ query: `?agent_id=${ids["agent_id"]}` }),
    listAgentSessions: (ids) => ({ query: `?after=${ids["session_id"]}` }),
    listSessions: (ids) => ({ query: `?agent_id=${ids["agent_id"]}&after=${ids["session_id"]}` }),
    listAgents: (ids) => ({ query: `?after=${ids["agent_id"]}` }),
    listVersions: (ids) => ({ query: `?after=${ids["version_id"]}` }),
    listFiles: (ids) => ({ query: `?after=${ids["file_id"]}` }),
    listMessages: (ids) => ({ query: `?after=${ids["message_id"]}` }),
    createSchedule: ({ agent_id, file_id }) => ({
      body: { agent_id, cron: "0 9 * * *", status: "paused", parts: [{ type: "file", file_id }] },
    }),
    updateSchedule: ({ file_id }) => ({ body: { parts: [{ type: "file", file_id }] } }),
    createSessionBatch: ({ agent_id, version_id, file_id }) => ({
      body: { agent_id, version_id, sessions: [{ parts: [{ type: "file", file_id }] }] },
    }),
    listSessionBatches: (ids) => ({ query: `?after=${ids["session_batch_id"]}` }),
    listBatchSessions: (ids) => ({ query: `?after=${ids["session_id"]}` }),
    listSessionSummaries: (ids) => ({ query: `?agent_id=${ids["agent_id"]}` }),
    listSchedules: (ids) => ({ query: `?agent_id=${ids["agent_id"]}&after=${ids["schedule_id"]}` }),
    listTriggers: (ids) => ({ query: `?after=${ids["trigger_id"]}` }),
    createWebhookEndpoint: (ids) => ({ body: { url: "https://receiver.example", agent_id: ids["agent_id"] } }),
    listWebhookEndpoints: (ids) => ({ query: `?after=${ids["webhook_endpoint_id"]}` }),
    listWebhookDeliveries: (ids) => ({ query: `?after=${ids["webhook_delivery_id"]}` }),
    listApiKeys: (ids) => ({ query: `?after=${ids["api_key_id"]}` }),
    createOpenAiResponse: ({ agent_id, version_id, file_id, response_id: previous_response_id }) => ({
      body: {
        model: `${agent_id}@${version_id}`,
        previous_response_id,
        input: [{ role: "user", content: [{ type: "input_file", file_id }] }],
        background: true,
      },
    }),
    createOpenAiChatCompletion: ({ agent_id, version_id, file_id }) => ({
      body: {
        model: `${agent_id}@${version_id}`,
        messages: [{ role: "user", content: [{ type: "file", file: { file_id } }] }],
        stream: true,
      },
    }),
    createOpenAiConversation: ({ agent_id, version_id }) => ({ body: { model: `${agent_id}@${version_id}` } }),
    listOpenAiConversationItems: (ids) => ({ query: `?after=${ids["message_id"]}` }),
    listOpenAiFiles: (ids) => ({ query: `?after=${ids["file_id"]}` }),
    retryMessages: (ids) => ({
      body: { filter: { agent_id: ids["agent_id"], session_id: ids["session_id"] }, after: ids["message_id"] },
    }),
  };

function withFile(ids: Ids) {
  return { body: { delivery: "async", parts: [{ type: "file", file_id: ids["file_id"] }] } };
}

function eventWithFile(ids: Ids) {
  return { type: "user.message", content: [{ type: "file", file_id: ids["file_id"] }] };
}

/** Returns the answer without what differs from call to call. */
export function withoutIds(reply: TestReply, ids: Ids): unknown {
  const text = Object.values(ids).reduce((rest, id) => rest.replaceAll(id, "(the id)"), reply.text);
  return [reply.status, text.replace(/"request_id":"[^"]*"/, "")];
}

export async function callWith(api: TestApi, name: RouteName, path: string, slots: Ids): Promise<TestReply> {
  const route: Route = routes[name];
  const { body, query } = elsewhere[name]?.(slots) ?? {
    body: routeCases[name].valid ?? bodyOf(route),
    query: undefined,
  };
  const target = pathOf(route, path, slots) + (query ?? "");
  const headers = route.requestContent === undefined ? {} : { "content-type": route.requestContent };
  return api.call(route.method, target, { body: route.request === undefined ? undefined : body, headers });
}

export interface Look {
  readonly name: RouteName;
  /** Which id is foreign, and whether it is in the path. */
  readonly slot: string;
  readonly isInPath: boolean;
  /** The answers to a foreign id and to one that does not exist. */
  readonly theirs: TestReply;
  readonly nobodys: TestReply;
}

/** Calls every route at each of its paths, and replaces one id after the other. */
export async function* looksAt(api: TestApi, own: Ids, foreign: Ids): AsyncGenerator<Look> {
  for (const name of walkedRoutes) {
    const route: Route = routes[name];
    const inPath = idsInPath(route);
    const outside = Object.keys(own).filter((slot) => {
      const shown = JSON.stringify(elsewhere[name]?.(own) ?? {});
      return shown.includes(String(own[slot])) && !inPath.includes(slot);
    });
    for (const path of routePaths(route)) {
      for (const slot of [...inPath, ...outside]) {
        expect([name, slot, foreign[slot]]).toEqual([name, slot, expect.any(String)]);
        const theirs = await callWith(api, name, path, { ...own, [slot]: String(foreign[slot]) });
        const nobodys = await callWith(api, name, path, { ...own, [slot]: String(unknown[slot]) });
        yield { name, slot, isInPath: inPath.includes(slot), theirs, nobodys };
      }
    }
  }
}

/** Returns what an organization owns, as one digest per table. */
export async function rowsOf(api: TestApi, organizationId: string): Promise<unknown> {
  const tables = await api.db.pool.query(`select table_name as name from information_schema.columns
    where table_schema = 'dari' and column_name = 'organization_id' order by 1`);
  const digests = [];
  for (const { name } of tables.rows as { name: string }[]) {
    const { rows } = await api.db.pool.query(
      `select md5(string_agg(md5(t::text), '' order by md5(t::text))) as digest from dari.${name} t
        where organization_id = $1`,
      [organizationId],
    );
    digests.push([name, (rows[0] as { digest: string | null }).digest]);
  }
  return digests;
}

// Triggers of an API under test, and senders that sign as the services do.

import { createHmac } from "node:crypto";
import { routes, validate } from "@dari/contract";
import { createTestAgent } from "@dari/testkit";
import { expect } from "@jest/globals";
import { startTestApi, type TestApi, type TestApiOptions, type TestReply } from "./api-fixture.ts";

export type Headers = Record<string, string>;
export type CreatedTrigger = Record<string, unknown> & { id: string; url: string; secret: string };

export interface MessageRow {
  readonly id: string;
  readonly session_id: string;
  readonly parts: readonly { readonly text: string }[];
  readonly metadata: Record<string, unknown>;
}

export interface TriggerScene extends AsyncDisposable {
  readonly api: TestApi;
  readonly agentId: string;
  /** The path of the agent's triggers. */
  readonly base: string;
  create(body?: Record<string, unknown>): Promise<CreatedTrigger>;
  /** Posts an event as its sender does, without a key. */
  post(url: string, body: unknown, headers?: Headers): Promise<TestReply>;
  messages(): Promise<MessageRow[]>;
  count(table: string): Promise<number>;
}

export async function openTriggerScene(options?: TestApiOptions): Promise<TriggerScene> {
  const api = await startTestApi(options);
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const base = `/v1/agents/${agentId}/triggers`;
  return {
    api,
    agentId,
    base,
    async create(body = {}) {
      const reply = await api.call("POST", base, { body: { scheme: "none", text: "{{a}}", ...body } });
      expect([reply.status, validate(routes.createTrigger.reply, reply.json)]).toEqual([201, []]);
      return reply.json as never;
    },
    post: (url, body, headers = {}) => api.call("POST", url, { key: null, body, headers }),
    async messages() {
      const { rows } = await api.db.pool.query("select id, session_id, parts, metadata from messages order by id");
      return rows as MessageRow[];
    },
    async count(table) {
      const { rows } = await api.db.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`);
      return rows[0]!.n;
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

export const secret = "a-secret-of-the-sender";

export function github(body: string, delivery = "1", key = secret): Headers {
  const signature = createHmac("sha256", key).update(body).digest("hex");
  return { "x-github-event": "issues", "x-github-delivery": delivery, "x-hub-signature-256": `sha256=${signature}` };
}

export function slack(body: string, key = secret, seconds = Math.floor(Date.now() / 1_000)): Headers {
  const signature = createHmac("sha256", key).update(`v0:${seconds}:${body}`).digest("hex");
  return { "x-slack-request-timestamp": String(seconds), "x-slack-signature": `v0=${signature}` };
}

/** Expects an answer that the contract describes. */
export function expectReceipt(reply: TestReply, status: number, what: string): TestReply {
  const issues = validate(routes.receiveTriggerEvent.reply, reply.json);
  expect([reply.status, reply.json["status"], issues]).toEqual([status, what, []]);
  return reply;
}

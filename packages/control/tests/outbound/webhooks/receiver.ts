// A receiver on loopback with scripted answers that stores its requests, and the scene that sends to it.

import { createHmac, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { Actor, Control } from "@dari/control/context";
import {
  createWebhookEndpoint,
  createWebhookSender,
  parseReceiverPolicy,
  type SenderSettings,
  type WebhookContext,
  type WebhookSender,
} from "@dari/control/outbound";
import { createSealer } from "@dari/control/tenants";
import { createBacklog } from "@dari/control/turns";
import { Redacted } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  type TestDatabase,
} from "@dari/testkit";

export interface Received {
  readonly id: string;
  readonly timestamp: number;
  readonly signatures: readonly string[];
  readonly body: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** `socket`: the request's connection, for tests below HTTP. */
export type Answer = (received: Received, response: ServerResponse, socket: Socket) => void;

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  answer: Answer;
}

export const ok: Answer = (_received, response) => void response.writeHead(200).end("thanks");

/** `createWith`: another kind of server, such as one with TLS. */
export async function startReceiver(
  answer: Answer = ok,
  createWith: (handle: RequestListener) => Server = createServer,
): Promise<Receiver> {
  const received: Received[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const one = {
      id: String(request.headers["webhook-id"]),
      timestamp: Number(request.headers["webhook-timestamp"]),
      signatures: String(request.headers["webhook-signature"]).split(" "),
      body,
      path: String(request.url),
      headers: request.headers,
    };
    received.push(one);
    receiver.answer(one, response, request.socket);
  };
  const server = createWith((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hooks?of=us`,
    port,
    received,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

/** Verifies a signature like a receiver that was written only from the specification. */
export function isSignedBy(secret: string, { id, timestamp, body, signatures }: Received): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return signatures.includes(`v1,${expected}`);
}

export interface WebhookScene extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly control: Control;
  readonly actor: Actor;
  readonly agentId: string;
  readonly log: { event: string; fields: Record<string, unknown> }[];
  session(): Promise<string>;
  endpoint(
    url: string,
    options?: { eventTypes?: readonly string[]; agentId?: string },
  ): Promise<{ id: string; secret: string }>;
  sender(settings?: Partial<SenderSettings>, context?: Partial<WebhookContext>): WebhookSender;
  /** Returns the rows of a statement, as the owner of the tables. */
  rows<Row extends object>(statement: string, ...values: unknown[]): Promise<Row[]>;
}

/** `allow`: receivers that may be private, as in DARI_WEBHOOK_ALLOW. */
export async function openWebhookScene(allow: string): Promise<WebhookScene> {
  const database = await createTestDatabase();
  const { db } = database;
  const log: WebhookScene["log"] = [];
  const write = (fields: Record<string, unknown>, event: string): void => void log.push({ event, fields });
  const parts = {
    db,
    sealer: createSealer(new Redacted(randomBytes(32))),
    log: { debug: write, info: write, warn: write, error: write },
    webhookReceivers: parseReceiverPolicy(allow),
    notifier: { notify: () => undefined, subscribe: () => () => undefined, close: async () => undefined },
    delivery: { available: false, deliver: () => Promise.reject(new Error("there is no queue")) },
    backlog: createBacklog(),
  };
  // What these operations use of it.
  const control = parts as unknown as Control;
  const { organizationId, keyId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const actor = { organizationId, keyId, scopes: ["admin"] };
  const senders: WebhookSender[] = [];
  return {
    database,
    control,
    actor,
    agentId,
    log,
    session: () => createTestSession(db, organizationId, agentId),
    async endpoint(url, { eventTypes, agentId: of } = {}) {
      const types = eventTypes === undefined ? {} : { event_types: eventTypes as never };
      const request = { url, ...types, ...(of === undefined ? {} : { agent_id: of }) };
      const created = await createWebhookEndpoint(control, actor, request);
      return { id: created.id, secret: created.secret! };
    },
    sender(settings = {}, context = {}) {
      const sender = createWebhookSender({ ...control, ...context }, { graceMs: 0, ...settings });
      senders.push(sender);
      return sender;
    },
    rows: async <Row extends object>(statement: string, ...values: unknown[]) =>
      (await db.pool.query<Row>(statement, values)).rows,
    async [Symbol.asyncDispose]() {
      for (const sender of senders) await sender.close();
      await database.close();
    },
  };
}

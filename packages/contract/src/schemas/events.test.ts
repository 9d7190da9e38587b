// Each type of event has a schema, clients accept unknown types and fields, and every payload narrows.

import { expect, test } from "@jest/globals";
import { buildOpenApi } from "../build-openapi.ts";
import { validate } from "../validate-value.ts";
import {
  EventRecord,
  KnownEvent,
  KnownPreview,
  previewEventTypes,
  StreamedEvent,
  type StreamedEvent as Streamed,
} from "./events.ts";
import { WebhookPayload } from "./webhooks.ts";
import { eventTypes } from "../vocabulary.ts";

const head = { id: "evt_1", sequence_number: 7, session_id: "sess_1", created_at: "2026-01-01T00:00:00.000Z" };
const ofAttempt = { message_id: "msg_1", attempt_id: "att_1" };

const ended = { ...head, ...ofAttempt, type: "attempt.ended", data: { outcome: "completed" } };

test("a known type has its ids and its payload", () => {
  expect(validate(EventRecord, ended)).toEqual([]);
  const { attempt_id: _, ...lacksAttempt } = ended;
  expect(validate(KnownEvent, lacksAttempt)).toEqual([{ path: "attempt_id", message: "field is required" }]);
  expect(validate(KnownEvent, { ...ended, data: {} })).toEqual([
    { path: "data.outcome", message: "field is required" },
  ]);
  expect(validate(EventRecord, { ...ended, data: {} })).not.toEqual([]);
});

test("a known type can have fields that a later platform added", () => {
  const later = { ...ended, origin: "x", data: { outcome: "completed", reason: "y" } };
  expect(validate(EventRecord, later)).toEqual([]);
});

test("an unknown type is an event, and no known one", () => {
  const unknown = { ...head, type: "session.renamed", data: { name: "x" } };
  expect(validate(EventRecord, unknown)).toEqual([]);
  expect(validate(StreamedEvent, unknown)).toEqual([]);
  expect(validate(KnownEvent, unknown)).toEqual([{ path: "type", message: expect.stringContaining("'user.message'") }]);
});

test("a preview has no number", () => {
  const delta = { session_id: "sess_1", ...ofAttempt, type: "assistant.text_delta", data: { text: "a", offset: 0 } };
  expect(validate(StreamedEvent, delta)).toEqual([]);
  expect(validate(StreamedEvent, { ...delta, type: "assistant.thought", data: {} })).toEqual([]);
  expect(validate(StreamedEvent, { ...delta, data: { text: "a" } })).not.toEqual([]);
  const reasoning = { ...delta, type: "reasoning.delta", data: { ordinal: 1, text: "I think" } };
  expect(validate(KnownPreview, reasoning)).toEqual([]);
  expect(validate(KnownPreview, { ...reasoning, data: { text: "I think" } })).not.toEqual([]);
  const given = { ...delta, type: "tool.arguments_delta", data: { call_id: "a", name: "add", text: '{"a"' } };
  expect(validate(KnownPreview, given)).toEqual([]);
});

test("the payload narrows by type, also among unknown types", () => {
  const outcomeOf = (event: Streamed): string | undefined => {
    if (event.type === "attempt.ended") return event.data.outcome;
    if (event.type === "assistant.text_delta") return event.data.text;
    return event.type === "message.failed" ? event.data.output?.error?.code : undefined;
  };
  expect(outcomeOf(ended as Streamed)).toBe("completed");
});

test("a webhook names an event of the ledger, a test, or a type that a later platform added", () => {
  const ids = { id: "evt_1", organization_id: "org_1" };
  const place = { ...ids, session_id: "sess_1", sequence_number: 7, agent_id: "agt_1", message_id: "msg_1" };
  const timestamp = head.created_at;
  expect(validate(WebhookPayload, { type: "message.completed", timestamp, data: place })).toEqual([]);
  expect(validate(WebhookPayload, { type: "message.completed", timestamp, data: ids })).not.toEqual([]);
  expect(validate(WebhookPayload, { type: "webhook.test", timestamp, data: ids })).toEqual([]);
  expect(validate(WebhookPayload, { type: "session.renamed", timestamp, data: ids })).toEqual([]);
});

test("the OpenAPI document maps each type to its schema", () => {
  const { components } = buildOpenApi({ version: "1", serverUrl: "http://127.0.0.1" });
  const { schemas } = components as unknown as {
    schemas: Record<string, { discriminator?: { mapping: Record<string, string> } }>;
  };
  expect(Object.keys(schemas["KnownEvent"]?.discriminator?.mapping ?? {})).toEqual(eventTypes);
  expect(Object.keys(schemas["KnownPreview"]?.discriminator?.mapping ?? {})).toEqual(previewEventTypes);
  for (const path of Object.values(schemas["KnownEvent"]?.discriminator?.mapping ?? {})) {
    expect(schemas).toHaveProperty([path.slice(path.lastIndexOf("/") + 1)]);
  }
});

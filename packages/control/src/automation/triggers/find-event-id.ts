// What identifies an event, so that one that its sender repeats sends no second message.

import type { TriggerScheme } from "@dari/contract";
import { invalidField, limits } from "@dari/domain";
import { createHash } from "node:crypto";
import type { TriggerRequest } from "./verify-signature.ts";
import { parsePath, readValue, textOfScalar, type TriggerEventValues } from "./read-event-value.ts";
import { parseIdTemplate, renderKey, replaceUnstorable } from "./render-template.ts";

export interface EventId {
  /** Equal for equal ids. */
  readonly key: string;
  /** For people, in the message's metadata. */
  readonly text: string;
}

/**
 * Returns the event's id: what the template makes, or else the id that the scheme has. Undefined: neither, and each
 * event sends a message.
 * @throws AppError `invalid` for an event without the id.
 */
export function findEventId(
  trigger: { readonly scheme: TriggerScheme; readonly eventId: string | null },
  request: TriggerRequest,
  event: TriggerEventValues,
): EventId | undefined {
  if (trigger.eventId !== null) {
    const { values, text } = renderKey("event_id", parseIdTemplate("event_id", trigger.eventId), event);
    return createEventId(JSON.stringify([trigger.eventId, ...values]), text);
  }
  switch (trigger.scheme) {
    case "none":
      return undefined;
    case "standard-webhooks":
      return requireEventId("webhook-id", request.header("webhook-id"));
    case "slack":
      return requireEventId("event_id", textOfScalar(readValue(parsePath("event_id", "event_id"), event)));
    case "stripe":
      return requireEventId("id", textOfScalar(readValue(parsePath("id", "id"), event)));
    case "github":
      // Not `X-GitHub-Delivery`: GitHub does not sign it, so the same body could be sent again with another one.
      return { key: digestOf(request.body), text: cutForMetadata(request.header("x-github-delivery") ?? "") };
  }
}

function requireEventId(name: string, id: string | undefined): EventId {
  if (id === undefined || id === "") throw invalidField(name, "the event has no id");
  return createEventId(id, id);
}

function createEventId(key: string, text: string): EventId {
  return { key: digestOf(key), text: cutForMetadata(text) };
}

function cutForMetadata(text: string): string {
  return replaceUnstorable(text.slice(0, limits.metadataValueChars));
}

function digestOf(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

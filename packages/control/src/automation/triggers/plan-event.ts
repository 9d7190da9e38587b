// Decides what an event becomes: a message, or an answer without one. Stores nothing.

import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import type { TriggerCondition, TriggerReceipt, TriggerScheme } from "@dari/contract";
import { invalidField, limits } from "@dari/domain";
import type { ReceivingTrigger } from "@dari/db";
import { findUnmet } from "./check-conditions.ts";
import { findEventId, type EventId } from "./find-event-id.ts";
import { parseEventBody, parsePath, readValue, textOfScalar, type TriggerEventValues } from "./read-event-value.ts";
import type { TriggerRequest } from "./verify-signature.ts";
import { parseTemplate, renderKey, renderText } from "./render-template.ts";

export interface PlannedMessage {
  readonly parts: readonly { readonly type: "text"; readonly text: string }[];
  /** Undefined: a session of its own. */
  readonly session: { readonly keyDigest: Buffer; readonly name: string } | undefined;
  readonly eventId: EventId | undefined;
}

export type PlannedEvent =
  | { readonly answer: TriggerReceipt; readonly message?: undefined }
  | { readonly message: PlannedMessage; readonly answer?: undefined };

/** @throws AppError `invalid` for a body that is not JSON, and for a value that is missing and needed. */
export function planEvent(trigger: ReceivingTrigger, request: TriggerRequest): PlannedEvent {
  const scheme = trigger.scheme as TriggerScheme;
  const text = readText(request.body);
  const event = { body: parseEventBody(text), header: (name: string) => request.header(name) };
  const answer = answerOfScheme(scheme, event) ?? answerOfSettings(trigger, event);
  if (answer !== undefined) return { answer };
  const rendered = renderText(parseTemplate("text", trigger.textTemplate), event, trigger.missing);
  const first = { type: "text", text: rendered } as const;
  return {
    message: {
      parts: trigger.includesBody ? [first, { type: "text", text }] : [first],
      session: trigger.sessionKey === null ? undefined : planSession(trigger.sessionKey, event),
      eventId: findEventId({ scheme, eventId: trigger.eventId }, request, event),
    },
  };
}

function readText(body: Buffer): string {
  if (!isUtf8(body)) throw invalidField("body", "expected UTF-8");
  return body.toString("utf8");
}

/** Why a paused trigger ignores an event. */
export const pausedReason = "the trigger is paused";

/** Answers what services send to try or to manage a URL. */
function answerOfScheme(scheme: TriggerScheme, event: TriggerEventValues): TriggerReceipt | undefined {
  if (scheme === "github" && event.header("x-github-event") === "ping") return renderIgnored("a ping sends no message");
  if (scheme !== "slack") return undefined;
  const type = memberText(event, "type");
  const challenge = memberText(event, "challenge");
  if (type === "url_verification" && challenge !== undefined) return { challenge };
  return type === "event_callback" ? undefined : renderIgnored("only events of the type event_callback send messages");
}

function memberText(event: TriggerEventValues, name: string): string | undefined {
  return textOfScalar(readValue(parsePath(name, name), event));
}

function answerOfSettings(trigger: ReceivingTrigger, event: TriggerEventValues): TriggerReceipt | undefined {
  if (trigger.status === "paused") return renderIgnored(pausedReason);
  // Checked before they were stored.
  const unmet = findUnmet(trigger.conditions as readonly TriggerCondition[], event);
  return unmet === undefined ? undefined : renderIgnored(unmet);
}

export function renderIgnored(reason: string): TriggerReceipt {
  return { status: "ignored", reason };
}

/** The template is part of the key: after it was changed, events start new sessions. */
function planSession(template: string, event: TriggerEventValues): PlannedMessage["session"] {
  const { values, text } = renderKey("session_key", parseTemplate("session_key", template), event);
  const keyDigest = createHash("sha256")
    .update(JSON.stringify([template, ...values]))
    .digest();
  return { keyDigest, name: text.slice(0, limits.nameChars).toWellFormed().trim() };
}

// Reads a tool call from the events of its message. Arguments and results that its events have cut come from the store.

import { BlobNotFoundError } from "@dari/blobs";
import type { ToolCall, ToolCallValue } from "@dari/contract";
import { createPlaces, type Actor, type Control } from "@dari/control/context";
import { getMessage } from "@dari/control/turns";
import { messageValues, toolCalls, type CallEventRow, type ValueRow } from "@dari/db";
import { limits, notFound } from "@dari/domain";

/** Each reads up to two values of `limits.valueBytes` into memory. */
const takePlace = createPlaces(
  { perProcess: limits.valueReadsPerProcess, perOrganization: limits.valueReadsPerOrganization },
  "reads large values of tool calls",
);

/**
 * Returns a call with its whole arguments and result. If several attempts made a call with this id, returns the last
 * one, or the one of the attempt with the number `attempt`.
 * @throws AppError `not_found`; `limit_exceeded` or `unavailable` while other calls read large values
 */
export async function getToolCall(
  control: Control,
  actor: Actor,
  input: { readonly messageId: string; readonly callId: string; readonly attempt: number | undefined },
): Promise<ToolCall> {
  const { organizationId } = actor;
  const { messageId, callId } = input;
  const { session_id: sessionId } = await getMessage(control, actor, messageId);
  const of = { organizationId, sessionId, messageId };
  const events = await toolCalls.findNewestCall(control.db, { ...of, callId, attempt: input.attempt });
  const requested = events.find(({ type }) => type === "tool.call_requested");
  const last = events.find(({ type }) => type === "tool.call_completed");
  // An older result belongs to the same call of an earlier attempt.
  const completed = requested && last && last.sequenceNumber < requested.sequenceNumber ? undefined : last;
  const first = requested ?? completed;
  if (first === undefined) throw notFound("tool call");
  const asked = [valueIdIn(requested, "arguments"), valueIdIn(completed, "result")].filter((id) => id !== undefined);
  const rows = await messageValues.listValuesByIds(control.db, { ...of, ids: asked });
  using _place = rows.length === 0 ? undefined : takePlace(organizationId);
  return {
    message_id: messageId,
    ...(first.attemptId === null ? {} : { attempt_id: first.attemptId }),
    ...headOf(first),
    arguments: await readValue(control, requested, "arguments", rows),
    result: await readValue(control, completed, "result", rows),
    is_error: (completed?.data["is_error"] as boolean | undefined) ?? null,
    duration_ms: (completed?.data["duration_ms"] as number | undefined) ?? null,
    requested_at: requested?.createdAt.toISOString() ?? null,
    completed_at: completed?.createdAt.toISOString() ?? null,
  };
}

type Head = Pick<ToolCall, "call_id" | "name" | "kind" | "server" | "agent" | "parent_call_id">;
const headFields = ["call_id", "name", "kind", "server", "agent", "parent_call_id"] as const;

/** Returns what both events of a call have. Events are stored in the contract's form. */
function headOf({ data }: CallEventRow): Head {
  return Object.fromEntries(headFields.filter((name) => name in data).map((name) => [name, data[name]])) as Head;
}

type Field = "arguments" | "result";

function valueIdIn(event: CallEventRow | undefined, field: Field): string | undefined {
  return event?.data[`${field}_value_id`] as string | undefined;
}

async function readValue(
  { blobs, log }: Control,
  event: CallEventRow | undefined,
  field: Field,
  rows: readonly ValueRow[],
): Promise<ToolCallValue | null> {
  if (event === undefined) return null;
  const value = event.data[field];
  const cutBytes = event.data[`${field}_bytes`] as number | undefined;
  if (cutBytes === undefined) {
    const isText = typeof value === "string";
    const size_bytes = Buffer.byteLength(isText ? value : JSON.stringify(value ?? null));
    return { value: value ?? null, media_type: isText ? text : json, size_bytes, is_cut: false };
  }
  const row = rows.find(({ id }) => id === valueIdIn(event, field));
  const cut = { value, media_type: text, size_bytes: cutBytes, is_cut: true };
  if (row === undefined) return cut;
  try {
    const whole = (await blobs.read(row.objectKey)).toString("utf8");
    const { id: value_id, mediaType: media_type, sizeBytes: size_bytes } = row;
    return { value: media_type === json ? JSON.parse(whole) : whole, media_type, size_bytes, is_cut: false, value_id };
  } catch (err) {
    if (!(err instanceof BlobNotFoundError)) throw err;
    log.error({ err, value: row.id }, "value.missing");
    return cut;
  }
}

const json = "application/json";
const text = "text/plain";

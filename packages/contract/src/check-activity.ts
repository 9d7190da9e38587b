// Checks what an agent's process reports about itself before it is stored. The agent's own code can write such reports.

import { limits } from "@dari/domain";
import type { TSchema } from "typebox";
import { activityKinds, type ActivityKind } from "./schemas/activity.ts";
import { findFirstIssue } from "./validate-value.ts";
import { activityTypes, type ActivityType } from "./vocabulary.ts";

/** A process counts as its language writes JSON, and may cut between other characters. */
const valueBytesMax = 2 * limits.activityValueBytes;

/** A plan is the largest: its characters take up to three bytes, and JSON adds names and quotes. */
const restBytesMax = limits.planItems * (limits.planItemChars * 3 + 100);

const encoder = new TextEncoder();
const kinds: Readonly<Record<ActivityType, ActivityKind>> = activityKinds;

/** Returns the field of an event that may have been cut, if its type has one. */
export function valueFieldOf(type: ActivityType): ActivityKind["value"] {
  return kinds[type].value;
}

/** Returns what is wrong with an event; undefined if it can be stored. */
export function findActivityProblem(type: string, data: unknown): string | undefined {
  if (!isActivityType(type)) return "its type is unknown";
  if (typeof data !== "object" || data === null || Array.isArray(data)) return "its data is not an object";
  const { value: field } = kinds[type];
  const rest = { ...data } as Record<string, unknown>;
  if (field !== undefined) {
    const value = rest[field];
    delete rest[field];
    if (value === undefined || (field === "text" && typeof value !== "string")) return `${field}: field is required`;
    if (bytesOf(value) > valueBytesMax) return `${field} has more than ${limits.activityValueBytes} bytes`;
  }
  if (bytesOf(rest) > restBytesMax) return `its fields have more than ${restBytesMax} bytes`;
  const issue = findFirstIssue(strictSchemaOf(type), rest);
  return issue && `${issue.path}: ${issue.message}`;
}

function isActivityType(type: string): type is ActivityType {
  return (activityTypes as readonly string[]).includes(type);
}

const strictSchemas = new Map<ActivityType, TSchema>();

/** The schema of the data without the field that may be large. Clients ignore unknown fields; the platform has none. */
function strictSchemaOf(type: ActivityType): TSchema {
  const known = strictSchemas.get(type);
  if (known !== undefined) return known;
  const { data, value } = kinds[type];
  const { properties, required, ...others } = data as unknown as StrictParts;
  const without = (names: readonly string[] = []): string[] => names.filter((name) => name !== value);
  const fields = Object.fromEntries(without(Object.keys(properties)).map((name) => [name, properties[name]]));
  const strict = { ...others, properties: fields, required: without(required), additionalProperties: false };
  strictSchemas.set(type, strict as TSchema);
  return strict as TSchema;
}

interface StrictParts {
  readonly properties: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
}

function bytesOf(value: unknown): number {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length * 3 <= valueBytesMax ? text.length : encoder.encode(text).length;
}

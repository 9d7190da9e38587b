// Conditions of a trigger: which events it wants.

import type { TriggerCondition } from "@dari/contract";
import { invalidField } from "@dari/domain";
import {
  parseHeader,
  parsePath,
  readValue,
  textOfScalar,
  type TriggerEventValues,
  type ValueSource,
} from "./read-event-value.ts";

/** @throws AppError `invalid`, which names the condition. */
export function checkConditions(conditions: readonly TriggerCondition[]): void {
  for (const [index, condition] of conditions.entries()) {
    const field = `when[${index}]`;
    const { header, path, equals, exists } = condition;
    if ((header === undefined) === (path === undefined))
      throw invalidField(field, "expected either `header` or `path`");
    if ((equals === undefined) === (exists === undefined)) {
      throw invalidField(field, "expected either `equals` or `exists`");
    }
    sourceOf(condition, field);
  }
}

function sourceOf({ header, path = "" }: TriggerCondition, field: string): ValueSource {
  return header === undefined ? parsePath(`${field}.path`, path) : parseHeader(`${field}.header`, header);
}

/** Returns the first condition that the event does not meet, as text; undefined if it meets all. */
export function findUnmet(conditions: readonly TriggerCondition[], event: TriggerEventValues): string | undefined {
  for (const [index, condition] of conditions.entries()) {
    const value = readValue(sourceOf(condition, `when[${index}]`), event);
    if (isMet(condition, value)) continue;
    return `${condition.header ?? condition.path ?? ""} does not match the trigger's conditions`;
  }
  return undefined;
}

function isMet({ equals, exists }: TriggerCondition, value: unknown): boolean {
  if (equals === undefined) return exists === (value !== undefined);
  const text = textOfScalar(value);
  return text !== undefined && equals.includes(text);
}

// Compares bodies, whatever the order of their fields, without storing their contents.

import { invalidField } from "@dari/domain";
import type { Control } from "../control.ts";

/**
 * Returns the SHA-256 of the body's canonical JSON, keyed because bodies contain secrets.
 * @throws AppError `invalid` for a body that is nested too deeply to be serialized.
 */
export function createFingerprint(control: Pick<Control, "sealer">, body: unknown): string {
  return control.sealer.fingerprint(canonicalJson(body));
}

function canonicalJson(body: unknown): string {
  try {
    return JSON.stringify(body ?? null, (_name, value: unknown) => (isObject(value) ? sorted(value) : value));
  } catch (error) {
    if ((error as { name?: unknown }).name === "RangeError") throw invalidField("body", "expected less nesting");
    throw error;
  }
}

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

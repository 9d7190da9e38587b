// The shape of a specification, the type of its values, and its description for people.

import { Redacted } from "@dari/domain";
import type { Field } from "./config-field.ts";

export interface ConfigSpec {
  readonly [key: string]: Field<unknown> | ConfigSpec;
}

export type ConfigOf<S> = {
  readonly [K in keyof S]: S[K] extends Field<infer T> ? T : S[K] extends ConfigSpec ? ConfigOf<S[K]> : never;
};

export function isField(item: Field<unknown> | ConfigSpec): item is Field<unknown> {
  return (item as { field?: unknown }).field === true;
}

export interface SettingRow {
  readonly env: string;
  readonly kind: string;
  /** The default as text; "required" or "unset" if there is none. */
  readonly fallback: string;
  readonly about: string;
}

/** Returns one row per setting, in the order of the specification: the source of the page of settings. */
export function describeConfig(spec: ConfigSpec): SettingRow[] {
  return Object.values(spec).flatMap((item) => {
    if (!isField(item)) return describeConfig(item);
    const { env, kind, about, unset } = item;
    return [{ env, kind, about, fallback: fallbackText(unset) }];
  });
}

function fallbackText(unset: Field<unknown>["unset"]): string {
  if (unset.as === "problem") return "required";
  if (unset.as === "absent") return "unset";
  return unset.value instanceof Redacted ? "***" : String(unset.value);
}

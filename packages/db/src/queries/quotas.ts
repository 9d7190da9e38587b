// How much of each kind an organization may keep. Named in the statements that add to it.

import { sql, type RawBuilder } from "kysely";

export const quotaKinds = ["sessions", "files", "agents", "api_keys", "storage_bytes"] as const;
export type QuotaKind = (typeof quotaKinds)[number];

/**
 * The organization's id as a value of the inserted row; the statement fails where the organization may not keep so many
 * more. `quotaRefusalOf` reads that failure.
 */
export function countedIn(
  organizationId: string | RawBuilder<string>,
  kind: QuotaKind,
  more: number,
): RawBuilder<string> {
  return sql<string>`counted_in(${organizationId}, ${kind}, ${more}::bigint)`;
}

export interface QuotaRefusal {
  readonly kind: QuotaKind;
  readonly most: number;
  /** Counted no further than `most`, except bytes. */
  readonly kept: number;
  readonly more: number;
}

/** Undefined for every other error. */
export function quotaRefusalOf(error: unknown): QuotaRefusal | undefined {
  const { code, message, detail } = (error ?? {}) as { code?: unknown; message?: string; detail?: string };
  const kind = quotaKinds.find((known) => known === message);
  if (code !== "DQ001" || kind === undefined) return undefined;
  return { kind, ...(JSON.parse(detail ?? "{}") as Omit<QuotaRefusal, "kind">) };
}

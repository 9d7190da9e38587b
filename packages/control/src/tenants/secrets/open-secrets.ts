// The secrets that an agent is given, opened in memory only; and what takes them out of what a client is shown.

import type { Sealer } from "@dari/control/context";
import { turnDetails, type Database } from "@dari/db";
import { createScrubber, Redacted, type Scrubber } from "@dari/domain";
import { placeholderOf, type KeptSecret } from "./placeholder.ts";

export interface OpenedSecrets {
  /** By name, of those names that have one: the session's own before the organization's. */
  readonly values: Map<string, string>;
  /** Names of the session's own. */
  readonly ofSession: ReadonlySet<string>;
  /** Those that agents are given a placeholder of. */
  readonly kept: readonly KeptSecret[];
}

/**
 * @throws Error that names the key when one was sealed under a key that this process does not have.
 */
export async function openSecrets(
  context: { db: Database; sealer: Sealer },
  organizationId: string,
  sessionId: string,
  names: readonly string[],
): Promise<OpenedSecrets> {
  const sealed = await turnDetails.listSealedSecrets(context.db, organizationId, sessionId, names);
  const open = (one: (typeof sealed)[number]): string =>
    context.sealer.open(one.sealed, { organizationId, name: one.name });
  const values = new Map(sealed.map((one) => [one.name, open(one)]));
  return {
    values,
    kept: sealed.flatMap(({ name, hosts, isOfSession }): KeptSecret[] => {
      if (hosts === null) return [];
      const value = values.get(name)!;
      const whose = isOfSession ? ([sessionId] as const) : ([] as const);
      const placeholder = placeholderOf([organizationId, name, value, hosts.join(" "), ...whose]);
      return [{ name, placeholder, value: new Redacted(value), hosts }];
    }),
    ofSession: new Set(sealed.filter(({ isOfSession }) => isOfSession).map(({ name }) => name)),
  };
}

/** Knows the values that the session's turns are given now; not those that were replaced since. */
export async function scrubberOf(
  context: { db: Database; sealer: Sealer },
  organizationId: string,
  sessionId: string,
): Promise<Scrubber> {
  const names = await turnDetails.listSecretNames(context.db, organizationId, sessionId);
  const { values } = await openSecrets(context, organizationId, sessionId, names);
  return createScrubber(values);
}

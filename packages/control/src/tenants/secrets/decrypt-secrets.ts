// Decrypts the secrets of an agent in memory, and removes them from what clients are shown.

import type { Sealer } from "@dari/control/context";
import { turnDetails, type Database } from "@dari/db";
import { createScrubber, Redacted, type Scrubber } from "@dari/domain";
import { createPlaceholder, type KeptSecret } from "./create-placeholder.ts";

export interface DecryptedSecrets {
  /** By name. A session's own secret comes before the organization's. */
  readonly values: Map<string, string>;
  /** Names of the session's own secrets. */
  readonly ofSession: ReadonlySet<string>;
  /** Secrets of which agents get only a placeholder. */
  readonly kept: readonly KeptSecret[];
}

/** @throws Error with the key's id if this process does not have a secret's key. */
export async function decryptSecrets(
  context: { db: Database; sealer: Sealer },
  organizationId: string,
  sessionId: string,
  names: readonly string[],
): Promise<DecryptedSecrets> {
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
      const placeholder = createPlaceholder([organizationId, name, value, hosts.join(" "), ...whose]);
      return [{ name, placeholder, value: new Redacted(value), hosts }];
    }),
    ofSession: new Set(sealed.filter(({ isOfSession }) => isOfSession).map(({ name }) => name)),
  };
}

/** Returns a scrubber for the current values of the session's secrets. It does not know replaced ones. */
export async function createSecretScrubber(
  context: { db: Database; sealer: Sealer },
  organizationId: string,
  sessionId: string,
): Promise<Scrubber> {
  const names = await turnDetails.listSecretNames(context.db, organizationId, sessionId);
  const { values } = await decryptSecrets(context, organizationId, sessionId, names);
  return createScrubber(values);
}

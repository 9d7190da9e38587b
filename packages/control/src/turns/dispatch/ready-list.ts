// The organizations with ready sessions, in the dispatcher's memory, so that a dispatch costs the same however many
// organizations there are. The table is the truth: what is missed here is found on the next round through it.

import { dispatch, type Database, type OrganizationShare } from "@dari/db";

export interface ReadyList {
  /** Reads this organization at the next call: its sessions may have become ready, or no longer be. */
  look(organizationId: string): void;
  read(nowMs: number): Promise<OrganizationShare[]>;
}

/** Up to this number, all are read on each call. */
const fewMax = 16;
/** Above it: how often a part of the table is read, and how large the part is. */
const roundEveryMs = 250;
const roundMax = 500;
/** Organizations that one call reads. The rest is for the next call. */
const looksMax = 1_000;
/** Organizations remembered for reading. Dropped ones are found on the round. */
const looksKeptMax = 20_000;

export function createReadyList(db: Database): ReadyList {
  const known = new Map<string, OrganizationShare>();
  const looks = new Set<string>();
  let after = "";
  let wentRoundAtMs = -Infinity;

  const goOnRound = async (): Promise<void> => {
    const isWhole = after === "";
    const asked = [...looks].slice(0, looksMax);
    const found = await dispatch.listReadyOrganizations(db, { after, limit: roundMax });
    const end = found.length < roundMax ? undefined : found.at(-1)?.organizationId;
    for (const id of known.keys()) if (id > after && (end === undefined || id <= end)) known.delete(id);
    for (const one of found) known.set(one.organizationId, one);
    after = end ?? "";
    // A round over the whole table has read these too.
    if (isWhole && end === undefined) for (const id of asked) looks.delete(id);
  };

  const takeLooks = async (): Promise<void> => {
    const ids = [...looks].slice(0, looksMax);
    for (const id of ids) looks.delete(id);
    for (const { isReady, ...share } of await dispatch.listShares(db, ids)) {
      if (isReady) known.set(share.organizationId, share);
      else known.delete(share.organizationId);
    }
  };

  return {
    look(organizationId) {
      if (looks.size < looksKeptMax) looks.add(organizationId);
    },
    async read(nowMs) {
      if (known.size <= fewMax || nowMs - wentRoundAtMs >= roundEveryMs) {
        wentRoundAtMs = nowMs;
        await goOnRound();
      }
      if (looks.size > 0) await takeLooks();
      return [...known.values()];
    },
  };
}

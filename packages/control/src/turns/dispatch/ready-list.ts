// The organizations with ready sessions, in the dispatcher's memory, so that the cost of a dispatch does not depend on
// the number of organizations. The table is the source of truth: the list is corrected by reading the table page by
// page.

import { dispatch, type Database, type OrganizationShare } from "@dari/db";

export interface ReadyList {
  /**
   * Reads this organization again at the next `read`: its sessions may have become ready, or may no longer be ready.
   */
  reload(organizationId: string): void;
  /** Returns the organizations that are known to have ready sessions. */
  read(nowMs: number): Promise<OrganizationShare[]>;
}

/** With at most this many known organizations, each call reads a page of the table. */
const fewMax = 16;
/** With more known organizations: the time between two pages, in milliseconds, and the organizations of one page. */
const pageEveryMs = 250;
const pageMax = 500;
/** Maximum number of organizations that one call reloads. The next call reloads the others. */
const reloadsMax = 1_000;
/** Maximum number of organizations that wait for a reload. Others are found when their page of the table is read. */
const reloadsKeptMax = 20_000;

export function createReadyList(db: Database): ReadyList {
  const known = new Map<string, OrganizationShare>();
  const reloads = new Set<string>();
  let after = "";
  let pageReadAtMs = -Infinity;

  const readPage = async (): Promise<void> => {
    const isFirst = after === "";
    const pending = [...reloads].slice(0, reloadsMax);
    const found = await dispatch.listReadyOrganizations(db, { after, limit: pageMax });
    const end = found.length < pageMax ? undefined : found.at(-1)?.organizationId;
    for (const id of known.keys()) if (id > after && (end === undefined || id <= end)) known.delete(id);
    for (const one of found) known.set(one.organizationId, one);
    after = end ?? "";
    // This page was the whole table, so these organizations are reloaded as well.
    if (isFirst && end === undefined) for (const id of pending) reloads.delete(id);
  };

  const reloadPending = async (): Promise<void> => {
    const ids = [...reloads].slice(0, reloadsMax);
    for (const id of ids) reloads.delete(id);
    for (const { isReady, ...share } of await dispatch.listShares(db, ids)) {
      if (isReady) known.set(share.organizationId, share);
      else known.delete(share.organizationId);
    }
  };

  return {
    reload(organizationId) {
      if (reloads.size < reloadsKeptMax) reloads.add(organizationId);
    },
    async read(nowMs) {
      if (known.size <= fewMax || nowMs - pageReadAtMs >= pageEveryMs) {
        pageReadAtMs = nowMs;
        await readPage();
      }
      if (reloads.size > 0) await reloadPending();
      return [...known.values()];
    },
  };
}

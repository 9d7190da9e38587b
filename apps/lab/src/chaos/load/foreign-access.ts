// A client that continuously uses one organization's key to ask for what belongs to another.

import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "@dari/client";
import type { Journal } from "./journal.ts";
import type { Tenant } from "./tenants.ts";

const everyMs = 500;

/** Adds a fault to the journal for every answer other than "not found". Resolves when `signal` aborts. */
export async function tryForeignAccess(
  journal: Journal,
  tenants: readonly Tenant[],
  signal: AbortSignal,
): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    const theirs = journal.sent.at(-1 - (turn % 5));
    const other = tenants.find(({ organizationId }) => organizationId !== theirs?.tenant.organizationId);
    const [id] = theirs?.messageIds ?? [];
    const client = other?.endpoints[turn % other.endpoints.length]?.client;
    if (theirs === undefined || id === undefined || client === undefined || signal.aborted) continue;
    const calls = [
      () => client.getMessage(id),
      () => client.getSession(theirs.sessionId),
      () => client.cancelMessage(id),
    ];
    try {
      await calls[turn % calls.length]!();
      journal.faults.push(`${other?.organizationId} was answered about ${id} of ${theirs.tenant.organizationId}`);
    } catch (error) {
      if (error instanceof ApiError && error.status < 500 && error.status !== 404) {
        journal.faults.push(`${other?.organizationId} was refused ${id} with ${error.status}`);
      }
    }
  }
}

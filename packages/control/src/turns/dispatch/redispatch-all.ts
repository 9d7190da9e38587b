// Makes every dispatched session ready again after Redis lost its jobs.

import { dispatch, type Database } from "@dari/db";

/** Returns how many sessions were made ready. The dispatcher dispatches them again. */
export async function redispatchAll(context: { readonly db: Database }, limit: number): Promise<number> {
  const stranded = await dispatch.listDispatched(context.db, limit);
  return dispatch.undispatchIfDispatched(context.db, stranded);
}

// Connections for the leases of a worker, because those of everything else can have hundreds of statements before them.

import { openDatabase, type Database } from "@dari/db";
import { limits } from "@dari/domain";

/**
 * Opens the connections, of which one is used at a time. The others are for renewals that follow one without an answer.
 */
export function openLeaseConnections({ url }: Pick<Database, "url">): Database {
  return openDatabase({ url, poolMax: limits.leaseRenewals, role: "dari_app", applicationName: "dari-leases" });
}

// Finds the organization that a new platform created. For the standalone platform's setup only: it has no actor.

import { organizations, type Database } from "@dari/db";

/** Returns undefined if there is none yet. */
export async function findFirstOrganizationId(db: Database): Promise<string | undefined> {
  return (await organizations.findFirstOrganization(db))?.id;
}

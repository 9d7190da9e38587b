// The organization that a fresh platform made for itself. For the standalone platform's set-up only: it has no actor.

import { organizations, type Database } from "@dari/db";

/** Undefined on an installation that has none yet. */
export async function findFirstOrganizationId(db: Database): Promise<string | undefined> {
  return (await organizations.findFirstOrganization(db))?.id;
}

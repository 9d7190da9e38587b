// Whether the installation serves more than one tenant. For workers, which decide by it how strictly they isolate.

import { organizations, type Database } from "@dari/db";

export async function hasSeveralOrganizations(db: Database): Promise<boolean> {
  return (await organizations.countOrganizations(db, 2)) > 1;
}

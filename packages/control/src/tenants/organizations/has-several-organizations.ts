// Whether the installation has more than one tenant. Workers isolate more strictly if it has.

import { organizations, type Database } from "@dari/db";

export async function hasSeveralOrganizations(db: Database): Promise<boolean> {
  return (await organizations.countOrganizations(db, 2)) > 1;
}

// A database with three connections: two that meet, and the owner's, which watches and can end the others.

import { createTestDatabase } from "@dari/testkit";
import type { Database } from "../../src/index.ts";
import { connect, meet, type Connection, type Ended, type Meeting } from "./connections.ts";

export interface Encounter extends AsyncDisposable {
  /** For preparation and reading. */
  readonly db: Database;
  readonly url: string;
  readonly owner: Connection;
  meet<A, B>(
    first: (db: Database) => Promise<A>,
    ended: Ended,
    second: (db: Database) => Promise<B>,
  ): Promise<Meeting<A, B>>;
}

export async function openEncounter(): Promise<Encounter> {
  await using opening = new AsyncDisposableStack();
  const database = await createTestDatabase();
  opening.defer(() => database.close());
  const owner = opening.use(await connect(database.url));
  const a = opening.use(await connect(database.url, "dari_app"));
  const b = opening.use(await connect(database.url, "dari_app"));
  const stack = opening.move();
  return {
    db: database.db,
    url: database.url,
    owner,
    meet: (first, ended, second) => meet([a, b], first, ended, second, owner),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

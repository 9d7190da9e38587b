// Notifies waiting callers through PostgreSQL, for peers without another way.

import pg from "pg";

export async function listenForDone(databaseUrl: string, onDone: (id: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  client.on("notification", ({ payload }) => onDone(payload ?? ""));
  await client.query("listen done");
}

// Waiters told through PostgreSQL, for peers that have nothing else.

import pg from "pg";

export async function listenForDone(databaseUrl: string, onDone: (id: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  client.on("notification", ({ payload }) => onDone(payload ?? ""));
  await client.query("listen done");
}

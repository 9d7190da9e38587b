// A copy of a running server's files, as PostgreSQL allows it ("Making a Base Backup Using the Low Level API").
// Opens the time for the copy and closes it; who copies knows the files.

import { randomBytes } from "node:crypto";
import pg from "pg";

export interface BackupSteps {
  /** Copies the cluster, without its log: what changes meanwhile is made good by the log. */
  copyFiles(): Promise<void>;
  /** Copies the log, all of it, and writes `label` as the copy's `backup_label`. The server recovers from there. */
  finish(label: string): Promise<void>;
}

/**
 * Runs both steps on one connection of a superuser. The log that the copy needs is kept by a slot that ends with the
 * connection: when this process dies, the server forgets the backup and goes on.
 */
export async function withOnlineBackup(url: string, steps: BackupSteps): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: "dari-backup" });
  // A server that goes away fails the statement that is under way; the event alone must not end the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    const slot = `dari_backup_${randomBytes(6).toString("hex")}`;
    await client.query("select pg_create_physical_replication_slot($1, true, true)", [slot]);
    await client.query("select pg_backup_start('dari', true)");
    await steps.copyFiles();
    const { rows } = await client.query<{ labelfile: string }>("select labelfile from pg_backup_stop(false)");
    await steps.finish(rows[0]!.labelfile);
  } finally {
    await client.end();
  }
}

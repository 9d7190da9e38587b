// Copies a running server's files as in PostgreSQL's "Making a Base Backup Using the Low Level API". Starts and ends
// the backup; the caller copies the files.

import { randomBytes } from "node:crypto";
import pg from "pg";

export interface BackupSteps {
  /** Copies the cluster without its WAL. The WAL repairs what changes in the meantime. */
  copyFiles(): Promise<void>;
  /** Copies all of the WAL and writes `label` as the copy's `backup_label`. The server recovers from there. */
  finish(label: string): Promise<void>;
}

/**
 * Runs both steps on one connection of a superuser. A temporary slot keeps the WAL that the copy needs. If this process
 * dies, the server drops the slot and forgets the backup.
 */
export async function withOnlineBackup(url: string, steps: BackupSteps): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: "dari-backup" });
  // A broken connection fails the running statement. The event itself must not end the process.
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

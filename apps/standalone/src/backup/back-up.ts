// A backup of a standalone platform's data directory while it runs. The backup is a data directory itself: to restore
// it, start the platform on it.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { withOnlineBackup } from "@dari/db";
import { startPostgres } from "@dari/embedded";
import { copyTree, type Selection } from "./copy-tree.ts";

export interface BackupParts {
  readonly dataDir: string;
  readonly target: string;
  /** How the server's files are copied while it runs. */
  readonly withOnlineBackup: typeof withOnlineBackup;
}

export interface BackupResult {
  readonly databaseFiles: number;
  readonly objects: number;
}

const keys: ReadonlySet<string> = new Set(["master.key", "connection.json"]);

/** Directories whose contents PostgreSQL creates again at its next start, or restores from the log. */
const emptyInCopy: ReadonlySet<string> = new Set([
  "pg_wal",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
]);
const leftOut = /^(postmaster\.(pid|opts)|backup_label|tablespace_map)$|(^|\/)(pgsql_tmp|pg_internal\.init)/;
const ofCluster: Selection = (relative) => {
  if (leftOut.test(relative)) return "nothing";
  return emptyInCopy.has(relative) ? "directory alone" : "all";
};

/**
 * Backs up `dataDir` into `target`, which must be missing or empty. First the database, then its objects: an object
 * that a row references is never rewritten, and is deleted one hour after its last reference at the earliest. Throws if
 * the database is not in the data directory.
 */
export async function backUp(
  { dataDir, target, withOnlineBackup }: BackupParts,
  say: (text: string) => void,
): Promise<BackupResult> {
  if (!existsSync(path.join(dataDir, "services", "postgres"))) {
    throw new Error(
      `${dataDir} has no database in it: run npm start on it first, or back DATABASE_URL up by its means`,
    );
  }
  if (!path.relative(dataDir, target).startsWith("..")) {
    throw new Error(`${target} is in ${dataDir}: choose a directory outside of it, best on another disk`);
  }
  await makeEmpty(target);
  const postgresDir = path.join("services", "postgres");
  await using postgres = await startPostgres({ dataDir: path.join(dataDir, postgresDir), log: say });
  const within = path.relative(path.join(dataDir, postgresDir), postgres.clusterDir);
  if (within.startsWith("..")) {
    throw new Error(`the database is kept in ${postgres.clusterDir}: choose a DARI_DATA_DIR that its user can reach`);
  }
  say("copying the database");
  const databaseFiles = await copyDatabase(withOnlineBackup, {
    url: postgres.url,
    from: postgres.clusterDir,
    to: path.join(target, postgresDir, within),
  });
  say("copying the objects");
  const objects = await copyTree(path.join(dataDir, "objects"), path.join(target, "objects"));
  // The keys: without the master key, no credential in the database can be decrypted.
  await copyTree(dataDir, target, (relative) => (keys.has(relative) ? "all" : "nothing"));
  await chmod(target, 0o700);
  // A backup must be on the disk, not only in memory.
  spawnSync("sync");
  return { databaseFiles, objects };
}

async function makeEmpty(target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  if ((await readdir(target)).length > 0) throw new Error(`${target} is not empty: choose another directory`);
}

async function copyDatabase(
  copying: BackupParts["withOnlineBackup"],
  { url, from, to }: { readonly url: string; readonly from: string; readonly to: string },
): Promise<number> {
  let files = 0;
  await copying(url, {
    async copyFiles() {
      files = await copyTree(from, to, ofCluster);
    },
    async finish(label) {
      files += await copyTree(path.join(from, "pg_wal"), path.join(to, "pg_wal"));
      const labelFile = path.join(to, "backup_label");
      await writeFile(labelFile, label, { mode: 0o600 });
      const { uid, gid } = await stat(path.join(to, "PG_VERSION"));
      await chown(labelFile, uid, gid);
    },
  });
  return files;
}

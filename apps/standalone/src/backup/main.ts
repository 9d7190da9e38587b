// `npm run backup -- DIRECTORY`: backs up the standalone platform, which may be running.

import path from "node:path";
import { withOnlineBackup } from "@dari/db";
import { runMain } from "@dari/runtime";
import { callerDirectory, readStandaloneConfig } from "../config.ts";
import { backUp } from "./back-up.ts";

const usage = `Usage: npm run backup -- DIRECTORY
Copies the platform of DARI_DATA_DIR to a directory that is empty or does not exist. The platform can keep running.
To restore: DARI_DATA_DIR=DIRECTORY npm start`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const [target, ...rest] = process.argv.slice(2);

if (target === undefined || target.startsWith("-") || rest.length > 0) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = 2;
} else {
  await runMain(async () => {
    const directory = callerDirectory();
    const config = readStandaloneConfig(directory);
    if (config.databaseUrl !== undefined || config.bucket !== undefined) {
      throw new Error("DATABASE_URL and S3_BUCKET are backed up by their own means: see docs/backup.md");
    }
    const result = await backUp(
      { dataDir: config.dataDir, target: path.resolve(directory, target), withOnlineBackup },
      (text) => say(`· ${text}`),
    );
    say(`${result.databaseFiles} files of the database and ${result.objects} objects are in ${target}`);
    say(`To restore: DARI_DATA_DIR=${target} npm start`);
  });
}

// A standalone platform is backed up under load, wiped and restored: everything acknowledged before the backup is
// unchanged, and sessions continue.

import { afterAll, afterEach, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { findViolations, openDatabase, type Violation } from "@dari/db";
import { startPostgres, type EmbeddedPostgres } from "@dari/embedded";
import { machineEnvironment } from "../src/config.ts";
import { deploy, ended, type Platform } from "../src/conversation.ts";
import { runDari } from "../src/curl.ts";
import { checkout } from "../src/program.ts";
import { removeDirectory } from "../src/remove-directory.ts";
import { playScript, resultsOf, scriptAgent, start } from "../src/script.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const run = promisify(execFile);
const opened: AsyncDisposable[] = [];
const dir = mkdtempSync(join(tmpdir(), "dari-backup-"));

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
}, 60_000);

afterAll(() => removeDirectory(dir));

async function startOn(dataDir?: string): Promise<StandaloneProcess & Platform> {
  // The platform's own database is backed up, so the test server's cannot take its place.
  const standalone = await startStandalone({ DARI_QUEUE: "none" }, dataDir ?? mkdtempSync(join(dir, "data-")));
  opened.push(standalone);
  return Object.assign(standalone, { client: createClient(standalone) });
}

/** What clients can read of a session: its records and every byte of its files. */
async function seenOf(
  { client, apiUrl, apiKey }: Platform,
  session: string,
): Promise<{ records: unknown; files: string }> {
  const { data } = await client.listMessages(session);
  const response = await fetch(`${apiUrl}/v1/sessions/${session}/workspace.tar.gz`, {
    headers: { Authorization: `Bearer ${apiKey}` },
  });
  expect(response.status).toBe(200);
  const hash = createHash("sha256").update(Buffer.from(await response.arrayBuffer()));
  return { records: data, files: hash.digest("hex") };
}

test("a backup that is taken under load restores everything that was acknowledged before it", async () => {
  const before = await startOn();
  const { agentId } = await deploy(before, scriptAgent({ max_attempts: 3, secrets: ["TOKEN"] }));
  await before.client.putCredential("TOKEN", { value: "s3cret-value" });
  const sessions: string[] = [];
  for (let n = 0; n < 4; n++) {
    const { id } = await before.client.createSession(agentId);
    const large = String(n).repeat(400_000);
    resultsOf(
      await playScript(before, id, [
        ["write", "large.txt", large],
        ["append", "log", "1 "],
        ["mkdir", "empty"],
      ]),
    );
    sessions.push(id);
  }
  const seen = await Promise.all(sessions.map((id) => seenOf(before, id)));

  // During the backup, other sessions keep the database and the objects busy.
  const busy = await Promise.all([1, 2].map(() => before.client.createSession(agentId)));
  const meanwhile: MessageRecord[] = [];
  for (let round = 0; round < 5; round++) {
    for (const { id } of busy) meanwhile.push(await start(before, id, [["append", "log", `${round} `]]));
  }
  const backup = join(dir, "backup");
  const env = { ...machineEnvironment(), DARI_DATA_DIR: before.dataDir };
  const { stdout } = await run(process.execPath, [join(checkout, "apps/standalone/src/backup/main.ts"), backup], {
    env,
  });
  expect(stdout).toMatch(/files of the database and \d+ objects/);
  await Promise.all(meanwhile.map(({ id }) => ended(before, id)));

  await before.program.stop("SIGINT");
  rmSync(before.dataDir, { recursive: true, force: true });

  const after = await startOn(backup);
  expect(after.apiKey).toBe(before.apiKey);
  expect(await Promise.all(sessions.map((id) => seenOf(after, id)))).toEqual(seen);
  for (const id of sessions) {
    const steps = [
      ["append", "log", "2 "],
      ["read", "log"],
      ["environment", "TOKEN"],
    ] as const;
    const [, log, token] = resultsOf(await playScript(after, id, steps));
    expect([log, token]).toEqual(["1 2 ", ["[redacted:TOKEN]"]]);
  }
  // Messages that were running during the backup were accepted, so they end.
  for (const { id } of busy) {
    const { data } = await after.client.listMessages(id);
    for (const message of data) expect((await ended(after, message.id)).status).toBe("completed");
  }
  const asked = { apiUrl: after.apiUrl, apiKey: after.apiKey, cwd: dir };
  const doctor = await runDari(["doctor", "--store", "--deep"], asked);
  expect(doctor).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/store +ok +\d+ objects exist and are intact/),
  });
  expect(await violationsOf(after.dataDir)).toEqual([]);
}, 240_000);

test("a backup into a directory that is not empty is refused, and so is a backup of an empty one", async () => {
  const attempt = async (dataDir: string, target: string): Promise<string> => {
    const env = { ...machineEnvironment(), DARI_DATA_DIR: dataDir };
    const result = await run(process.execPath, [join(checkout, "apps/standalone/src/backup/main.ts"), target], {
      env,
    }).catch((error: unknown) => error as { stderr: string; code: number });
    expect(result).toMatchObject({ code: 1 });
    return result.stderr;
  };
  expect(await attempt(join(dir, "none"), join(dir, "target"))).toContain("has no database in it");
  expect(existsSync(join(dir, "target"))).toBe(false);
});

const databaseOf = (dataDir: string): Promise<EmbeddedPostgres> =>
  startPostgres({ dataDir: join(dataDir, "services", "postgres") });

async function violationsOf(dataDir: string): Promise<readonly Violation[]> {
  await using postgres = await databaseOf(dataDir);
  const db = openDatabase({ url: postgres.url, poolMax: 2, applicationName: "backup-test" });
  try {
    return await findViolations(db);
  } finally {
    await db.close();
  }
}

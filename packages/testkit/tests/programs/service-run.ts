// Starts a PostgreSQL as a test run does and holds it until killed. Prints its process as one JSON line.

import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { readStateFile, type ProcessIdentity } from "@dari/embedded";
import { startServiceRun } from "../../src/service-run.ts";

interface Note {
  readonly runner: ProcessIdentity;
  readonly servers: readonly ProcessIdentity[];
}

await startServiceRun({ DARI_TEST_REDIS_URL: "redis://none", DARI_TEST_S3_ENDPOINT: "http://none" });
const notes = readdirSync(tmpdir())
  .filter((name) => name.startsWith("dari-test-services-"))
  .map((name) => readStateFile<Note>(path.join(tmpdir(), name, "run.json"), () => true));
console.log(JSON.stringify(notes.find((note) => note?.runner.pid === process.pid)?.servers[0]));
createServer().listen(0, "127.0.0.1");

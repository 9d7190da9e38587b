// Starts a PostgreSQL as a test run does and holds it until killed. Prints its process as one JSON line.

import { createServer } from "node:net";
import { listRuns, startServiceRun } from "../../src/service-run.ts";

await startServiceRun({ DARI_TEST_REDIS_URL: "redis://none", DARI_TEST_S3_ENDPOINT: "http://none" });
console.log(JSON.stringify(listRuns().find(({ note }) => note.runner.pid === process.pid)?.note.servers[0]));
createServer().listen(0, "127.0.0.1");

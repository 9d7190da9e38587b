// Starts a server as an own process would and holds it until killed. Prints one JSON line when it is up.

import { startPostgres, startRedis } from "../../src/index.ts";

const [, , kind, dir = ""] = process.argv;
const server = kind === "redis" ? await startRedis({ dir }) : await startPostgres({ dataDir: dir, fast: true });
process.stdin.resume().once("end", () => void server.stop());
const { url, pid, attached } = server;
console.log(JSON.stringify({ url, pid, attached }));

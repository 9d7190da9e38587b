// Starts a server and holds it until it is killed or its input ends. Input makes it exit without stopping anything.
// Prints one JSON line when it is up.

import { startPostgres, startRedis } from "../../src/index.ts";

const [, , kind, dir = ""] = process.argv;
const server = kind === "redis" ? await startRedis({ dir }) : await startPostgres({ dataDir: dir, fast: true });
process.stdin.on("data", () => process.exit(1)).once("end", () => void server.stop());
const { url, pid, attached } = server;
console.log(JSON.stringify({ url, pid, attached }));

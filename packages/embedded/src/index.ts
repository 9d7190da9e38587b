// Servers that come with the platform: PostgreSQL from npm, the machine's own Redis. Starts and stops; no clients.

export { freePort, isPortFree } from "./free-port.ts";
export { startPostgres, type EmbeddedPostgres } from "./postgres/start-postgres.ts";
export { copyBinaries, findBinaries } from "./postgres/binaries.ts";
export { removeOwnerFile, takeOwnerFile } from "./owner-file.ts";
export { endProcess } from "./end-process.ts";
export { identifyProcess, identifySelf, isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";
export { findRedisServer, redisInstallAdvice } from "./redis/find-redis-server.ts";
export { startRedis, type EmbeddedRedis } from "./redis/start-redis.ts";
export { readStateFile, writeStateFile } from "./state-file.ts";

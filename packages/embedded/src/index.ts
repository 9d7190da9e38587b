// Servers that come with the platform: PostgreSQL from npm, the machine's own Redis. Starts and stops; no clients.

export { freePort, isPortFree } from "./free-port.ts";
export { startPostgres, type EmbeddedPostgres, type StartPostgresOptions } from "./postgres/start-postgres.ts";
export { copyBinaries, findBinaries, type Binaries } from "./postgres/binaries.ts";
export type { LaunchMode } from "./postgres/launcher.ts";
export { leaveOwnerFile, takeOwnerFile } from "./owner-file.ts";
export { endProcess, type Step } from "./end-process.ts";
export { identifyProcess, identifySelf, isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";
export { findRedisServer, redisInstallAdvice, type RedisServer } from "./redis/find-redis-server.ts";
export { startRedis, type EmbeddedRedis, type StartRedisOptions } from "./redis/start-redis.ts";
export { readStateFile, writeStateFile } from "./state-file.ts";

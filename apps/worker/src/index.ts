// For programs that run a worker in their own process.

export { assembleWorker, type WorkerAssembly } from "./assemble.ts";
export { checkWorkerSettings, ownWorkerSettings, workerSettings } from "./config.ts";

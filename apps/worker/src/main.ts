// The worker as a program of its own.

import { openServices } from "@dari/control";
import { aborted, createLogger, runMain, serveHealth } from "@dari/runtime";
import { assembleWorker } from "./assemble.ts";
import { readWorkerConfig } from "./config.ts";

const config = readWorkerConfig();

await runMain(
  async (signal, stack) => {
    const log = createLogger({ name: "worker", level: config.logLevel });
    const services = await openServices(config, { program: "worker", log }, stack);
    await assembleWorker(services, config, { ...config, allowNearestPython: false }, log, stack);
    if (config.healthPort !== undefined) {
      stack.use(await serveHealth({ port: config.healthPort, host: "0.0.0.0", checks: {} }));
    }
    await aborted(signal);
  },
  { graceMs: config.shutdownGraceMs + 15_000 },
);

// Runs the worker until a signal stops it.

import { openServices } from "@dari/control/assembly";
import { createPlatformMetrics, createPlatformTraces, combineObservers } from "@dari/control/operations";
import { limits } from "@dari/domain";
import { collectStartGarbage, waitForAbort, createLogger, runMain, serveHealth } from "@dari/runtime";
import { assembleWorker } from "./assemble.ts";
import { readWorkerConfig } from "./config.ts";

/** Time after the grace period to kill and record the turns that still run, up to 2,000, in milliseconds. */
const afterGraceMs = 105_000;
const program = "node apps/worker/src/main.ts";
let graceMs: number = limits.shutdownGraceMs;

await runMain(
  async (signal, stack, stopNow) => {
    const config = readWorkerConfig();
    graceMs = config.shutdownGraceMs;
    const metrics = createPlatformMetrics({ parts: ["worker"], byOrganization: config.metricsByOrganization });
    const traces = stack.adopt(await createPlatformTraces("worker", config.traces), (opened) => opened.close());
    const log = createLogger({ name: "worker", level: config.logLevel, observe: combineObservers(metrics, traces) });
    const services = await openServices(config, { program: "worker", log }, stack);
    metrics.watchServices(services);
    const giveUp = (reason: string): void => {
      log.error({ reason }, "worker.gives_up");
      // The supervisor starts another worker. Running turns end as at any shutdown.
      process.exitCode = 1;
      process.kill(process.pid, "SIGTERM");
    };
    const worker = await assembleWorker(
      services,
      config,
      { ...config, allowNearestPython: false, program, environment: process.env, giveUp, stopNow },
      log,
      stack,
    );
    metrics.watchWorker(worker);
    if (config.healthPort !== undefined) {
      stack.use(await serveHealth({ port: config.healthPort, host: "0.0.0.0", checks: worker.checks, metrics }));
    }
    void collectStartGarbage();
    await waitForAbort(signal);
  },
  {
    // A getter, because the settings are not known yet when `runMain` is called.
    get graceMs() {
      return graceMs + afterGraceMs;
    },
    stopNowMs: afterGraceMs,
  },
);

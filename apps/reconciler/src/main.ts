// The reconciler as a separate program.

import { openServices } from "@dari/control/assembly";
import { createPlatformMetrics, createPlatformTraces, combineObservers } from "@dari/control/operations";
import { collectStartGarbage, waitForAbort, createLogger, runMain, serveHealth } from "@dari/runtime";
import { readReconcilerConfig } from "./config.ts";
import { startReconciler } from "./reconciler.ts";

await runMain(async (signal, stack) => {
  const config = readReconcilerConfig();
  const metrics = createPlatformMetrics({ parts: ["reconciler"], byOrganization: config.metricsByOrganization });
  const traces = stack.adopt(await createPlatformTraces("reconciler", config.traces), (opened) => opened.close());
  const log = createLogger({ name: "reconciler", level: config.logLevel, observe: combineObservers(metrics, traces) });
  const services = await openServices(config, { program: "reconciler", log }, stack);
  metrics.watchServices(services);
  metrics.watchSchedule(services);
  const reconciler = stack.adopt(startReconciler(services, config, log), (started) => started.stop());
  if (config.healthPort !== undefined) {
    stack.use(
      await serveHealth({
        port: config.healthPort,
        host: "0.0.0.0",
        checks: reconciler.checks,
        counters: () => reconciler.counters(),
        metrics,
      }),
    );
  }
  log.info("reconciler.started");
  void collectStartGarbage();
  await waitForAbort(signal);
});

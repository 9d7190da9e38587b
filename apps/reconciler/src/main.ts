// The reconciler as a program of its own.

import { openServices } from "@dari/control";
import { aborted, createLogger, runMain, serveHealth } from "@dari/runtime";
import { readReconcilerConfig } from "./config.ts";
import { startReconciler } from "./reconciler.ts";

await runMain(async (signal, stack) => {
  const config = readReconcilerConfig();
  const log = createLogger({ name: "reconciler", level: config.logLevel });
  const services = await openServices(config, { program: "reconciler", log }, stack);
  const reconciler = stack.adopt(startReconciler(services, config, log), (started) => started.stop());
  if (config.healthPort !== undefined) {
    stack.use(
      await serveHealth({
        port: config.healthPort,
        host: "0.0.0.0",
        checks: reconciler.checks,
        counters: () => reconciler.counters(),
      }),
    );
  }
  log.info("reconciler.started");
  await aborted(signal);
});

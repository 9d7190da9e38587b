// The worker program without agents and mounts: apps/worker's assembly with the null driver and null disks.

import { checkServiceSettings, openServices } from "@dari/control/assembly";
import { waitForAbort, createLogger, readConfig, runMain } from "@dari/runtime";
import { assembleWorker, workerSettings } from "@dari/worker";
import { programEnvironment } from "../../config.ts";
import { createNullDisks } from "./null-disks.ts";
import { createNullDriver, nullGuarantees } from "./null-driver.ts";

await runMain(async (signal, stack) => {
  const environment = programEnvironment();
  const config = readConfig(workerSettings, environment, { check: checkServiceSettings });
  const log = createLogger({ name: "worker", level: config.logLevel });
  const services = await openServices(config, { program: "worker", log }, stack);
  const driver = { driver: createNullDriver(), guarantees: nullGuarantees };
  const disks = createNullDisks();
  const assembly = { ...config, program: "null-worker", allowNearestPython: false, environment, driver, disks };
  await assembleWorker(services, config, assembly, log, stack);
  await waitForAbort(signal);
});

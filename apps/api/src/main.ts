// The API as a program of its own.

import { controlOf, openServices } from "@dari/control";
import { createLogger, runMain } from "@dari/runtime";
import { readApiConfig } from "./config.ts";
import { startApi } from "./server.ts";

await runMain(async (signal, stack) => {
  const config = readApiConfig();
  const log = createLogger({ name: "api", level: config.logLevel });
  const services = await openServices(config, { program: "api", log }, stack);
  const control = controlOf(services, config, config.publicUrl ?? `http://${config.host}:${config.port}`);
  const api = stack.use(await startApi({ control, host: config.host, port: config.port, signal }));
  log.info({ url: api.url, public_url: control.publicUrl }, "api.started");
  await api.closed;
});

// The API as a program of its own.

import { createControl, openServices } from "@dari/control/assembly";
import { createPlatformMetrics, createPlatformTraces, combineObservers } from "@dari/control/operations";
import { collectStartGarbage, createLogger, runMain, serveHealth } from "@dari/runtime";
import { readOidcSettings, readApiConfig } from "./config.ts";
import { createReadiness } from "./routes/health.ts";
import { startApi } from "./server.ts";

await runMain(async (signal, stack) => {
  const config = readApiConfig();
  const metrics = createPlatformMetrics({ parts: ["api"], byOrganization: config.metricsByOrganization });
  const traces = stack.adopt(await createPlatformTraces("api", config.traces), (opened) => opened.close());
  const log = createLogger({ name: "api", level: config.logLevel, observe: combineObservers(metrics, traces) });
  const services = await openServices(config, { program: "api", log, answersCalls: true }, stack);
  const control = createControl(services, config, config.publicUrl ?? `http://${config.host}:${config.port}`);
  metrics.watchServices(services);
  const { trustedProxies, unauthenticatedPerMinute, consoleDir } = config;
  const settings = { trustedProxies, unauthenticatedPerMinute };
  const app = { metrics, queue: services.queue, consoleDir, oidc: readOidcSettings(config), settings };
  const api = stack.use(await startApi({ control, host: config.host, port: config.port, signal, app }));
  if (config.healthPort !== undefined) {
    const checks = createReadiness(control, signal);
    stack.use(await serveHealth({ port: config.healthPort, host: config.host, checks, metrics }));
  }
  log.info({ url: api.url, public_url: control.publicUrl }, "api.started");
  void collectStartGarbage();
  await api.closed;
});

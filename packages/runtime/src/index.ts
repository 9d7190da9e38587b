// The basics of a process: settings, log lines, lifetime, loops, health, metrics. Independent of agents and turns.

export {
  boolean,
  integer,
  oneOf,
  secret,
  secretUrl,
  string,
  url,
  withDefault,
  withoutDefault,
} from "./config/config-field.ts";
export {
  ConfigError,
  readConfig,
  typingErrorsMax,
  type ConfigProblem,
  type Environment,
} from "./config/read-config.ts";
export { describeConfig, type ConfigOf, type ConfigSpec } from "./config/config-spec.ts";
export { checkHealth, serveHealth, type HealthChecks, type HealthServer } from "./health.ts";
export { createLogger, logLevels, type LogLevel, type LogMethod, type Logger } from "./log.ts";
export { openLogFile, type LogFile } from "./log-output.ts";
export { collectStartGarbage } from "./collect-start-garbage.ts";
export { loop, type Loop } from "./loop.ts";
export {
  createMetrics,
  otherLabel,
  type MetricCatalogue,
  type MetricLabels,
  type Metrics,
  type MetricSpec,
  type MetricsPage,
} from "./metrics.ts";
export { openSpans, type EndedSpan, type Spans } from "./traces.ts";
export { isSecretKey, redactFields } from "./redact-secrets.ts";
export { clearScratch, createScratchSpace, type Scratch, type ScratchSpace } from "./scratch-space.ts";
export { StartError } from "./start-error.ts";
export { waitForAbort, runMain } from "./run-main.ts";
export { writeHashed } from "./write-hashed.ts";

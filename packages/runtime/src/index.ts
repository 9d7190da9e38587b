// Process plumbing: settings, log lines, lifetime, loops, health, metrics. Knows nothing of agents or turns.

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
  type Field,
  type FieldOptions,
  type IntegerOptions,
  type UrlOptions,
} from "./config/field.ts";
export {
  ConfigError,
  readConfig,
  type ConfigProblem,
  type Environment,
  type ReadConfigOptions,
} from "./config/read-config.ts";
export { describeConfig, type ConfigOf, type ConfigSpec, type SettingRow } from "./config/spec.ts";
export { checkHealth, serveHealth, type HealthChecks, type HealthReport, type HealthServer } from "./health.ts";
export { createLogger, logLevels, type LogLevel, type LogMethod, type Logger, type LoggerOptions } from "./log.ts";
export { loop, type Loop, type LoopOptions, type LoopStats } from "./loop.ts";
export {
  createMetrics,
  otherLabel,
  type MetricCatalogue,
  type MetricLabels,
  type Metrics,
  type MetricsOptions,
  type MetricSpec,
  type MetricsPage,
} from "./metrics.ts";
export { openSpans, type EndedSpan, type SpanKind, type Spans, type SpansOptions } from "./traces.ts";
export { isSecretKey, redactFields, redactText } from "./redact.ts";
export { clearScratch, createScratchSpace, makeScratch, type Scratch, type ScratchSpace } from "./scratch.ts";
export { StartError } from "./start-error.ts";
export { aborted, runMain, type Main, type RunMainOptions } from "./run-main.ts";
export { writeHashed } from "./write-hashed.ts";

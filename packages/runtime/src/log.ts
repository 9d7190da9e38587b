// JSON log lines with ids on every line. The only file that uses pino; programs use the small Logger interface.

import { pino, type DestinationStream, type Logger as PinoLogger } from "pino";
import { openLogOutput, type LogOutput } from "./log-output.ts";
import { redactFields } from "./redact-secrets.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/**
 * error: a person must act; warn: recovered, but should be checked; info: one line per completed piece of work; debug:
 * anything.
 */
export type LogLevel = (typeof logLevels)[number];

export interface LogMethod {
  (message: string): void;
  /** `err` is the field for an Error, which is printed with its stack and its causes. */
  (fields: object, message: string): void;
}

export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** Returns a logger that adds `fields` to every line. */
  child(fields: object): Logger;
}

export interface LoggerOptions {
  /** The program: api, worker, reconciler … */
  readonly name: string;
  readonly level?: LogLevel;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
  /**
   * Called for every line, also below the level, with the line's own fields unchanged, so that one call is both an
   * event's line and its metric. Must not throw.
   */
  readonly observe?: (fields: object, event: string) => void;
}

/** Shared by all loggers of the process, so that lines keep their order. */
let output: LogOutput | undefined;

/**
 * Creates a logger whose every line is one JSON object with `level`, `time` (RFC 3339), `name`, the fields and `msg`.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    name: options.name,
    level: options.level ?? "info",
    base: {},
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Fields are already redacted and expanded here.
    serializers: { err: (value: unknown) => value },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(settings, options.destination ?? (output ??= openLogOutput(1))), options.observe);
}

type Level = Exclude<LogLevel, "silent">;

function wrap(target: PinoLogger, observe: LoggerOptions["observe"]): Logger {
  const method =
    (level: Level): LogMethod =>
    (first: string | object, message?: string) => {
      if (typeof first === "string") observe?.({}, first);
      else observe?.(first, message ?? "");
      if (!target.isLevelEnabled(level)) return;
      if (typeof first === "string") target[level](first);
      else target[level](redactFields(first), message);
    };
  return {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    child: (fields) => wrap(target.child(redactFields(fields)), observe),
  };
}

// JSON log lines with ids on every line. The only home of pino; programs see the small Logger interface.

import { pino, type DestinationStream, type Logger as PinoLogger } from "pino";
import { openLogOutput, type LogOutput } from "./log-output.ts";
import { redactFields } from "./redact.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** error: a person must act; warn: recovered, but look; info: one line per finished thing; debug: free. */
export type LogLevel = (typeof logLevels)[number];

export interface LogMethod {
  (message: string): void;
  /** `err` is the name for an Error; it is printed with its stack and its causes. */
  (fields: object, message: string): void;
}

export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A logger that puts `fields` on every line as well. */
  child(fields: object): Logger;
}

export interface LoggerOptions {
  /** The program: api, worker, reconciler … */
  readonly name: string;
  readonly level?: LogLevel;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
  /**
   * Told of every line, also of those below the level, with the line's own fields as they were given: one call is an
   * event's line and its metric. Must not throw.
   */
  readonly observe?: (fields: object, event: string) => void;
}

/** One for all loggers of the process, whose lines keep their order. */
let output: LogOutput | undefined;

/** A logger whose every line is one JSON object with `level`, `time` (RFC 3339), `name`, the fields and `msg`. */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    name: options.name,
    level: options.level ?? "info",
    base: {},
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Fields are redacted and spelled out before they get here.
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

// A program's traces: built from its log lines, like its metrics, and sent to the configured collector.

import { hostname } from "node:os";
import { dariRelease } from "@dari/contract";
import type { Redacted } from "@dari/domain";
import { openSpans, type EndedSpan, type Spans } from "@dari/runtime";
import { eventSpans } from "./event-spans.ts";

export interface TraceSettings {
  /** Address of an OTLP collector over HTTP; undefined disables traces. */
  readonly endpoint: string | undefined;
  readonly headers: Redacted | undefined;
  /** The percentage of messages that are traced, with all attempts. */
  readonly percent: number;
}

export interface PlatformTraces {
  /** Called by the logger with every line. Never throws. */
  readonly observe: (fields: object, event: string) => void;
  close(): Promise<void>;
}

const noTraces: PlatformTraces = { observe: () => undefined, close: () => Promise.resolve() };

/** `program`: api, worker, reconciler or standalone. */
export async function createPlatformTraces(
  program: string,
  { endpoint, headers, percent }: TraceSettings,
): Promise<PlatformTraces> {
  if (endpoint === undefined || percent === 0) return noTraces;
  const instance = `${hostname()}-${process.pid}`;
  const spans = await openSpans({ endpoint, headers, serviceName: `dari-${program}`, release: dariRelease, instance });
  return tracesOver(spans, percent);
}

/** Programs decide by the trace's id, so all of them decide alike. */
function tracesOver(spans: Spans, percent: number): PlatformTraces {
  const isTraced = ({ traceId }: EndedSpan): boolean => Number.parseInt(traceId.slice(0, 8), 16) % 100 < percent;
  return {
    observe(fields, event) {
      if (!Object.hasOwn(eventSpans, event)) return;
      const made = eventSpans[event]?.(fields as Readonly<Record<string, unknown>>, Date.now()) ?? [];
      for (const span of made) if (isTraced(span)) spans.add(span);
    },
    close: () => spans.close(),
  };
}

/** Returns an observer for the logger that passes every line to all of `observers`. */
export function combineObservers(
  ...observers: readonly Pick<PlatformTraces, "observe">[]
): (fields: object, event: string) => void {
  return (fields, event) => {
    for (const observer of observers) observer.observe(fields, event);
  };
}

// Spans for an OpenTelemetry collector, sent in batches over OTLP/HTTP. The only file that uses the OpenTelemetry
// packages, which are loaded only if there is a collector. Spans are created after they have ended, from measured
// times.

import type { Attributes } from "@opentelemetry/api";
import type { Redacted } from "@dari/domain";

export type SpanKind = "internal" | "server" | "consumer" | "client";

export interface EndedSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Attributes>;
  /** Why it failed; absent if it succeeded. */
  readonly failure?: string | undefined;
}

export interface Spans {
  /** Never throws and never waits. Spans beyond 4,096 unsent ones are dropped. */
  add(span: EndedSpan): void;
  /** Sends the remaining spans, for at most two seconds. */
  close(): Promise<void>;
}

export interface SpansOptions {
  /** The collector's address, without /v1/traces. */
  readonly endpoint: string;
  /** `name=value`, separated by commas, like OTEL_EXPORTER_OTLP_HEADERS. */
  readonly headers?: Redacted | undefined;
  /** The program: dari-api, dari-worker … */
  readonly serviceName: string;
  readonly release: string;
  /** Distinguishes this process from others of the same program. */
  readonly instance: string;
}

const waitingMax = 4_096;
const sendEveryMs = 1_000;
const exportTimeoutMs = 5_000;
const closeMs = 2_000;

/** @throws Error for headers that cannot be parsed; the message does not contain them. */
export async function openSpans(options: SpansOptions): Promise<Spans> {
  const headers = headersOf(options.headers);
  const [{ SpanStatusCode, TraceFlags, SpanKind: Kind }, { OTLPTraceExporter }, { resourceFromAttributes }, sdk] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace"),
    ]);
  const kinds = { internal: Kind.INTERNAL, server: Kind.SERVER, consumer: Kind.CONSUMER, client: Kind.CLIENT };
  const url = `${options.endpoint.replace(/\/+$/, "")}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, headers, timeoutMillis: exportTimeoutMs });
  const processor = new sdk.BatchSpanProcessor({
    exporter,
    maxQueueSize: waitingMax,
    scheduledDelayMillis: sendEveryMs,
  });
  const resource = resourceFromAttributes({
    "service.name": options.serviceName,
    "service.version": options.release,
    "service.instance.id": options.instance,
  });
  const instrumentationScope = { name: "dari", version: options.release };
  return {
    add(span) {
      const context = { traceId: span.traceId, traceFlags: TraceFlags.SAMPLED };
      const parent = span.parentSpanId;
      processor.onEnd({
        name: span.name,
        kind: kinds[span.kind],
        spanContext: () => ({ ...context, spanId: span.spanId }),
        ...(parent === undefined ? {} : { parentSpanContext: { ...context, spanId: parent } }),
        startTime: timeOf(span.startMs),
        endTime: timeOf(span.endMs),
        duration: timeOf(span.endMs - span.startMs),
        status:
          span.failure === undefined
            ? { code: SpanStatusCode.UNSET }
            : { code: SpanStatusCode.ERROR, message: span.failure },
        attributes: { ...span.attributes },
        links: [],
        events: [],
        ended: true,
        resource,
        instrumentationScope,
        droppedAttributesCount: 0,
        droppedEventsCount: 0,
        droppedLinksCount: 0,
      });
    },
    async close() {
      const closed = processor.shutdown().catch(() => undefined);
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, closeMs);
      await Promise.race([closed, late]);
      clearTimeout(timer);
    },
  };
}

/** Seconds and nanoseconds, OpenTelemetry's format of a time. */
function timeOf(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}

function headersOf(given: Redacted | undefined): Record<string, string> {
  const pairs = (given?.reveal() ?? "").split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new Error("OTEL_EXPORTER_OTLP_HEADERS: expected name=value, separated by commas");
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}

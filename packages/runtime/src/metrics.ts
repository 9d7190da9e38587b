// Metrics for Prometheus: a catalogue lists them, programs count, and a scrape reads them as one text. Only this file
// imports prom-client.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

export interface MetricSpec {
  readonly kind: "counter" | "gauge" | "histogram";
  /** One sentence, with the unit if the name has none. */
  readonly about: string;
  /** Each label with all of its values, or with a description of them. */
  readonly labels?: Readonly<Record<string, readonly string[] | string>>;
  /** Upper bounds of a histogram, in the metric's unit. */
  readonly buckets?: readonly number[];
}

export type MetricCatalogue = Readonly<Record<string, MetricSpec>>;
export type MetricLabels = Readonly<Record<string, string>>;

/** The answer to a scrape. */
export interface MetricsPage {
  readonly contentType: string;
  /** Never rejects: metrics that cannot be read now are left out. */
  read(): Promise<string>;
}

export interface Metrics<Name extends string> extends MetricsPage {
  /** Counts up. Ignores negative values and NaN. */
  add(name: Name, labels?: MetricLabels, by?: number): void;
  /** Adds a value to a histogram. Ignores undefined and NaN. */
  observe(name: Name, value: number | undefined, labels?: MetricLabels): void;
  /** Sets a gauge. */
  set(name: Name, value: number, labels?: MetricLabels): void;
  /** Leaves the gauge out until it is set again: no value is better than an old one. */
  remove(name: Name): void;
  /** Called before each read, all of them concurrently, for gauges that are not set in between. */
  beforeRead(reader: () => Promise<void> | void): void;
}

export interface MetricsOptions {
  /** Sets of label values per metric. Beyond this limit, every value is `other`. Default: 2,000. */
  readonly labelSetsMax?: number;
  /** A gauge that takes longer to read is left out, because the scraper has a timeout too. Default: 3 s. */
  readonly lookMs?: number;
  /** Memory, processor time, event loop and garbage collection of this process, from the first read. Default: true. */
  readonly process?: boolean;
}

/** Replaces label values beyond the limit. */
export const otherLabel = "other";
const labelCharsMax = 120;

/** Each call has its own registry, so two programs in one process, or two tests, share nothing. */
export function createMetrics<Name extends string>(
  catalogue: Readonly<Record<Name, MetricSpec>>,
  options: MetricsOptions = {},
): Metrics<Name> {
  const registry = new Registry();
  // Begins with the first scrape: the histogram of the event loop wakes the process 100 times a second.
  let isProcessMeasured = options.process === false;
  const measureProcess = (): void => {
    if (!isProcessMeasured) collectDefaultMetrics({ register: registry });
    isProcessMeasured = true;
  };
  const entries = new Map(
    Object.entries<MetricSpec>(catalogue).map(([name, spec]) => [name, register(registry, name, spec)] as const),
  );
  const entryOf = (name: Name): Entry => entries.get(name)!;
  const max = options.labelSetsMax ?? 2_000;
  const readers: (() => Promise<void> | void)[] = [];
  return {
    contentType: registry.contentType,
    add(name, labels = {}, by = 1) {
      const entry = entryOf(name);
      if (entry.metric instanceof Counter && Number.isFinite(by) && by >= 0) {
        entry.metric.inc(bounded(entry, labels, max), by);
      }
    },
    observe(name, value, labels = {}) {
      const entry = entryOf(name);
      if (entry.metric instanceof Histogram && value !== undefined && Number.isFinite(value)) {
        entry.metric.observe(bounded(entry, labels, max), value);
      }
    },
    set(name, value, labels = {}) {
      const entry = entryOf(name);
      if (entry.metric instanceof Gauge && Number.isFinite(value)) entry.metric.set(bounded(entry, labels, max), value);
    },
    remove(name) {
      const { metric, labelNames } = entryOf(name);
      metric.reset();
      // Without labels, prom-client's reset leaves a zero.
      if (labelNames.length === 0) metric.remove();
    },
    beforeRead: (reader) => void readers.push(reader),
    async read() {
      measureProcess();
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, options.lookMs ?? 3_000);
      await Promise.race([late, Promise.allSettled(readers.map(async (reader) => reader()))]);
      clearTimeout(timer);
      return registry.metrics();
    },
  };
}

interface Entry {
  readonly metric: Counter | Gauge | Histogram;
  /** The sets of label values so far. */
  readonly seen: Set<string>;
  readonly labelNames: readonly string[];
}

function register(registry: Registry, name: string, spec: MetricSpec): Entry {
  const labelNames = Object.keys(spec.labels ?? {});
  const settings = { name, help: spec.about, labelNames, registers: [registry] };
  if (spec.kind === "gauge") return { metric: new Gauge(settings), seen: new Set(), labelNames };
  if (spec.kind === "histogram") {
    const buckets = spec.buckets === undefined ? {} : { buckets: [...spec.buckets] };
    return { metric: new Histogram({ ...settings, ...buckets }), seen: new Set(), labelNames };
  }
  const metric = new Counter(settings);
  const entry: Entry = { metric, seen: new Set(), labelNames };
  startAtZero(entry, spec);
  return entry;
}

/** A counter that starts with its first event would hide it, because a rate needs a zero before. */
function startAtZero({ metric, labelNames }: Entry, spec: MetricSpec): void {
  const [only, ...more] = labelNames;
  const values = only === undefined ? undefined : spec.labels?.[only];
  if (!(metric instanceof Counter) || more.length > 0 || only === undefined || !Array.isArray(values)) return;
  for (const value of values as readonly string[]) metric.inc({ [only]: value }, 0);
}

/** Keeps the number of series within its limit, whatever the labels are. */
function bounded(entry: Entry, labels: MetricLabels, max: number): Record<string, string> {
  const known = entry.labelNames.map((name) => [name, (labels[name] ?? "").slice(0, labelCharsMax)] as const);
  const key = known.map(([, value]) => value).join("\n");
  if (!entry.seen.has(key)) {
    if (entry.seen.size >= max) return Object.fromEntries(known.map(([name]) => [name, otherLabel]));
    entry.seen.add(key);
  }
  return Object.fromEntries(known);
}

// A program's metrics: counted from its log lines, and read from its services.

import { dariRelease } from "@dari/contract";
import { health, webhookOutbox, type Database } from "@dari/db";
import type { TurnDelivery } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";
import { createMetrics, otherLabel, type Metrics, type MetricsPage, type MetricSpec } from "@dari/runtime";
import { countTurns } from "../health/waiting-turns.ts";
import { metricsByPart, type PlatformMetric } from "./metric-catalogue.ts";
import { eventMetrics, type MetricRecorder } from "./event-metrics.ts";

export type MetricsPart = "api" | "worker" | "reconciler";

export interface PlatformMetricsOptions {
  /** The parts of the platform that run in this process. */
  readonly parts: readonly MetricsPart[];
  readonly byOrganization: boolean;
}

type ScheduleQueue = Pick<TurnQueue, "available" | "counts">;

export interface WorkerLoad {
  /** Turns that hold a slot. */
  readonly running: number;
  /** All slots, taken and free. */
  readonly offered: number;
}

export interface PlatformMetrics extends MetricsPage {
  /** Called by the logger with every line. */
  readonly observe: (fields: object, event: string) => void;
  /** Reads the pool and the queue's availability with each scrape. */
  watchServices(services: { readonly db: Database; readonly queue: Pick<TurnDelivery, "available"> | undefined }): void;
  watchWorker(worker: WorkerLoad): void;
  /** Reads the schedule and the queue's jobs with each scrape, at most once in five seconds. */
  watchSchedule(services: { readonly db: Database; readonly queue: ScheduleQueue | undefined }): void;
}

/** The number of organizations that get their own label. */
const organizationsMax = 200;
const scheduleReadEveryMs = 5_000;

export function createPlatformMetrics({ parts, byOrganization }: PlatformMetricsOptions): PlatformMetrics {
  const catalogue: Partial<Record<PlatformMetric, MetricSpec>> = Object.assign(
    {},
    metricsByPart.common,
    ...parts.map((part) => metricsByPart[part]),
    byOrganization ? metricsByPart.organization : {},
  );
  const metrics = createMetrics(catalogue as Record<PlatformMetric, MetricSpec>);
  const counting = countingOf(metrics, catalogue);
  metrics.set("dari_build_info", 1, { release: dariRelease });
  return {
    contentType: metrics.contentType,
    read: () => metrics.read(),
    observe: (fields, event) => {
      if (Object.hasOwn(eventMetrics, event)) eventMetrics[event]?.(counting, fields as Record<string, unknown>);
    },
    watchServices: ({ db, queue }) => metrics.beforeRead(() => readServices(metrics, db, queue)),
    watchWorker: (worker) =>
      metrics.beforeRead(() => {
        metrics.set("dari_turns_running", worker.running);
        metrics.set("dari_slots_offered", worker.offered);
        metrics.set("dari_slots_free", Math.max(0, worker.offered - worker.running));
      }),
    watchSchedule({ db, queue }) {
      metrics.beforeRead(atMostEvery(scheduleReadEveryMs, () => readSchedule(metrics, db)));
      metrics.beforeRead(atMostEvery(scheduleReadEveryMs, () => readWebhooks(metrics, db)));
      if (queue !== undefined) {
        metrics.beforeRead(atMostEvery(scheduleReadEveryMs, () => readJobs(metrics, db, queue)));
      }
    },
  };
}

/** Each part writes the log lines of its own metrics only. A process may run some parts without others. */
function countingOf(
  metrics: Metrics<PlatformMetric>,
  catalogue: Partial<Record<PlatformMetric, MetricSpec>>,
): MetricRecorder {
  const organizations = new Set<string>();
  return {
    add(name, labels, by) {
      if (name in catalogue) metrics.add(name, labels, by);
    },
    observe(name, value, labels) {
      if (name in catalogue) metrics.observe(name, value, labels);
    },
    organization(id) {
      if (organizations.size < organizationsMax) organizations.add(id);
      return organizations.has(id) ? id : otherLabel;
    },
  };
}

function readServices(
  metrics: Metrics<PlatformMetric>,
  { pool, tenantPool }: Database,
  queue: Pick<TurnDelivery, "available"> | undefined,
): void {
  const pools = tenantPool === undefined ? [pool] : [pool, tenantPool];
  const sum = (of: (one: typeof pool) => number): number => pools.reduce((total, one) => total + of(one), 0);
  metrics.set(
    "dari_database_connections",
    sum((one) => one.totalCount - one.idleCount),
    { state: "used" },
  );
  metrics.set(
    "dari_database_connections",
    sum((one) => one.idleCount),
    { state: "idle" },
  );
  metrics.set(
    "dari_database_connections_max",
    sum((one) => one.options.max ?? 0),
  );
  metrics.set(
    "dari_database_waiting",
    sum((one) => one.waitingCount),
  );
  if (queue === undefined) metrics.remove("dari_redis_available");
  else metrics.set("dari_redis_available", queue.available ? 1 : 0);
}

/** A value that cannot be read is left out: no number is better than one from before an outage. */
async function readSchedule(metrics: Metrics<PlatformMetric>, db: Database): Promise<void> {
  for (const name of ["dari_waiting_turns", "dari_waiting_oldest_seconds", "dari_sessions"] as const) {
    metrics.remove(name);
  }
  const [schedule, waiting] = [await health.countSessionsBySchedule(db), await health.getQueueWait(db)];
  metrics.set("dari_waiting_turns", schedule.ready);
  metrics.set("dari_waiting_oldest_seconds", (waiting.oldestMs ?? 0) / 1_000);
  for (const [place, count] of Object.entries(schedule)) metrics.set("dari_sessions", count, { schedule: place });
}

async function readWebhooks(metrics: Metrics<PlatformMetric>, db: Database): Promise<void> {
  for (const name of ["dari_webhook_pending", "dari_webhook_overdue_seconds", "dari_webhook_notes"] as const) {
    metrics.remove(name);
  }
  const { pending, overdueMs, notes } = await webhookOutbox.getBacklog(db);
  metrics.set("dari_webhook_pending", pending);
  metrics.set("dari_webhook_overdue_seconds", overdueMs / 1_000);
  metrics.set("dari_webhook_notes", notes);
}

async function readJobs(metrics: Metrics<PlatformMetric>, db: Database, queue: ScheduleQueue): Promise<void> {
  metrics.remove("dari_queue_jobs");
  // BullMQ waits for a Redis that it has never reached.
  if (!queue.available) return;
  const counts = await countTurns(db, queue);
  for (const [state, count] of Object.entries(counts)) metrics.set("dari_queue_jobs", count, { state });
}

/** Limits how often `look` runs. Callers in between wait for the running look, or get the last result. */
function atMostEvery(ms: number, look: () => Promise<void>): () => Promise<void> {
  let askedAt = -Infinity;
  let looking: Promise<void> = Promise.resolve();
  return () => {
    if (performance.now() - askedAt >= ms) {
      askedAt = performance.now();
      looking = look();
    }
    return looking;
  };
}

// What each log line counts. Fields are read as they are logged.

import type { MetricLabels } from "@dari/runtime";
import type { PlatformMetric } from "./metric-catalogue.ts";

/** Counts the metrics that a program has. Ignores others. */
export interface MetricRecorder {
  add(name: PlatformMetric, labels?: MetricLabels, by?: number): void;
  observe(name: PlatformMetric, value: number | undefined, labels?: MetricLabels): void;
  /** Returns the organization as a label: its name, or `other` if there are too many. */
  organization(id: string): string;
}

type Fields = Readonly<Record<string, unknown>>;

const phases = ["image", "restore", "start", "agent", "kill", "save"] as const;

export const eventMetrics: Readonly<Record<string, (counting: MetricRecorder, fields: Fields) => void>> = {
  request(counting, fields) {
    const { method, org } = fields;
    // An unknown path must not become a label, because any client can choose it.
    const route = typeof fields["route"] === "string" ? fields["route"] : "unknown";
    const labels = { method: textOf(method), route };
    counting.add("dari_http_requests_total", { ...labels, status: textOf(fields["status"]) });
    counting.observe("dari_http_request_seconds", secondsOf(fields["ms"]), labels);
    if (fields["finished"] === false) counting.add("dari_http_unfinished_total");
    if (typeof org === "string") {
      counting.add("dari_organization_requests_total", { organization: counting.organization(org) });
    }
  },
  "turn.finished"(counting, fields) {
    const ending = textOf(fields["recorded"]);
    counting.add("dari_turns_total", { ending });
    const organization = counting.organization(textOf(fields["org"]));
    counting.add("dari_organization_turns_total", { organization, ending });
    if (typeof fields["code"] === "string") counting.add("dari_turn_failures_total", { code: fields["code"] });
    counting.observe("dari_turn_queue_seconds", secondsOf(fields["queue_ms"]));
    for (const phase of phases) {
      counting.observe("dari_turn_phase_seconds", secondsOf(fields[`${phase}_ms`]), { phase });
    }
  },
  "turn.not_recorded": (counting) => counting.add("dari_turns_not_recorded_total"),
  "turn.egress": countEgress,
  "warm.egress": countEgress,
  "turns.dispatched": (counting, { turns }) => counting.add("dari_dispatches_total", {}, numberOf(turns)),
  "delivery.failed": (counting) => counting.add("dari_delivery_failures_total"),
  "loop run failed": (counting) => counting.add("dari_loop_failures_total"),
  "lease.lost": (counting) => counting.add("dari_leases_lost_total"),
  "leases.not_renewed": (counting) => counting.add("dari_lease_renewal_failures_total"),
  "build.finished"(counting, fields) {
    const result = fields["ok"] === true ? "ready" : "failed";
    counting.add("dari_builds_total", { result });
    counting.observe("dari_build_seconds", secondsOf(fields["ms"]), { result });
  },
  "build.step_failed": (counting) => counting.add("dari_builds_total", { result: "error" }),
  "job.retry": (counting, { outcome }) => counting.add("dari_job_retries_total", { outcome: textOf(outcome) }),
  "job.promoted": (counting) => counting.add("dari_job_promotions_total"),
  "session.reaped"(counting, { was, recorded }) {
    counting.add("dari_reaped_total", { was: textOf(was), recorded: textOf(recorded ?? "none") });
  },
  "queue.flush_noticed": (counting, { redispatched }) =>
    counting.add("dari_redispatches_total", {}, numberOf(redispatched)),
  "invariants.judged": (counting) => counting.add("dari_invariant_rounds_total"),
  "invariant.violated": (counting, { invariant }) =>
    counting.add("dari_invariant_violations_total", { invariant: textOf(invariant) }),
  "schedules.fired"(counting, fields) {
    for (const outcome of ["fired", "skipped", "missed", "failed"]) {
      const count = numberOf(fields[outcome]);
      if (count > 0) counting.add("dari_schedule_firings_total", { outcome }, count);
    }
  },
  "schedule.not_fired": (counting) => counting.add("dari_schedule_firings_total", { outcome: "error" }),
  "webhook.attempted": (counting, { outcome }) =>
    counting.add("dari_webhook_attempts_total", { outcome: textOf(outcome) }),
  "webhook.disabled": (counting, { reason }) =>
    counting.add("dari_webhook_endpoints_disabled_total", { reason: textOf(reason) }),
  "storage.squashed": (counting, fields) => addStorage(counting, "squashed", fields),
  "storage.expired": (counting, fields) => addStorage(counting, "expired", fields),
  "storage.purged": (counting, fields) => addStorage(counting, "purged", fields),
  "storage.swept": (counting, fields) => addStorage(counting, "swept", fields),
};

function addStorage(counting: MetricRecorder, step: string, fields: Fields): void {
  for (const [what, count] of Object.entries(fields)) {
    if (typeof count === "number") counting.add("dari_storage_total", { step, what }, count);
  }
}

function countEgress(counting: MetricRecorder, fields: Fields): void {
  counting.add("dari_egress_total", { verdict: textOf(fields["verdict"]) });
  counting.add("dari_egress_bytes_total", { direction: "sent" }, numberOf(fields["bytesSent"]));
  counting.add("dari_egress_bytes_total", { direction: "received" }, numberOf(fields["bytesReceived"]));
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "none";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function secondsOf(ms: unknown): number | undefined {
  return typeof ms === "number" ? ms / 1_000 : undefined;
}

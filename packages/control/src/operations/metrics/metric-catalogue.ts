// Every metric of the platform, with its labels and the programs that have it. Labels have few values: none names an
// organization, a session or a path, unless the operator asks for organizations.

import type { MetricCatalogue } from "@dari/runtime";

/** Buckets for fast steps and for agents that work for an hour, in seconds. */
const turnSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const buildSeconds = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_200];

export const commonMetrics = {
  dari_build_info: {
    kind: "gauge",
    about: "Always 1; the label is the running release.",
    labels: { release: "Release of the platform." },
  },
  dari_database_connections: {
    kind: "gauge",
    about: "Connections of this process to PostgreSQL.",
    labels: { state: ["used", "idle"] },
  },
  dari_database_connections_max: {
    kind: "gauge",
    about: "Maximum number of connections of this process (DARI_DATABASE_POOL).",
  },
  dari_database_waiting: { kind: "gauge", about: "Statements of this process that wait for a connection." },
  dari_redis_available: {
    kind: "gauge",
    about: "1 while Redis answers this process, otherwise 0. Absent if no Redis is configured.",
  },
  dari_dispatches_total: {
    kind: "counter",
    about: "Turns that this process dispatched: the reconciler's dispatcher, or the API for a free slot.",
  },
  dari_delivery_failures_total: {
    kind: "counter",
    about: "Failed attempts to put turns into the queue. Workers pull these turns instead.",
  },
  dari_loop_failures_total: {
    kind: "counter",
    about: "Logged failures of background loops. A loop that keeps failing logs one failure per ten seconds.",
  },
} as const satisfies MetricCatalogue;

export const apiMetrics = {
  dari_http_requests_total: {
    kind: "counter",
    about: "Finished requests.",
    labels: { method: "HTTP method.", route: "Pattern of the route, or `unknown`.", status: "HTTP status." },
  },
  dari_http_request_seconds: {
    kind: "histogram",
    about: "Time from a request's header to the end of its reply. Streams and sync requests count until they close.",
    labels: { method: "HTTP method.", route: "Pattern of the route." },
    buckets: requestSeconds,
  },
  dari_http_unfinished_total: {
    kind: "counter",
    about: "Requests whose client disconnected before the reply was complete.",
  },
} as const satisfies MetricCatalogue;

export const workerMetrics = {
  dari_turns_total: {
    kind: "counter",
    about:
      "Turns that ended on this worker, by recorded ending. superseded: another worker had claimed the turn, so " +
      "nothing was recorded.",
    labels: { ending: ["completed", "failed", "cancelled", "retry", "released", "suspended", "superseded"] },
  },
  dari_turn_failures_total: {
    kind: "counter",
    about: "Failed attempts, including retried ones, by the code that clients see.",
    labels: { code: "See docs/errors.md." },
  },
  dari_turn_queue_seconds: {
    kind: "histogram",
    about: "Time that turns waited before they were claimed. Observed when the turn ends.",
    buckets: turnSeconds,
  },
  dari_turn_phase_seconds: {
    kind: "histogram",
    about: "Duration of each phase of a turn. Observed when the turn ends.",
    labels: { phase: ["image", "restore", "start", "agent", "kill", "save"] },
    buckets: turnSeconds,
  },
  dari_turns_not_recorded_total: {
    kind: "counter",
    about: "Turns whose end could not be written. Their lease expires, and the reaper ends them.",
  },
  dari_turns_running: { kind: "gauge", about: "Turns that hold a slot of this worker." },
  dari_slots_free: {
    kind: "gauge",
    about: "Free slots of this worker; 0 while its memory is short.",
  },
  dari_slots_offered: { kind: "gauge", about: "Slots of this worker that its memory can hold, used and free." },
  dari_leases_lost_total: { kind: "counter", about: "Leases that this worker lost while their turns ran." },
  dari_lease_renewal_failures_total: {
    kind: "counter",
    about: "Failed renewals of the worker's leases. Each is retried.",
  },
  dari_builds_total: {
    kind: "counter",
    about: "Finished builds. error: the platform failed, and the build is retried.",
    labels: { result: ["ready", "failed", "error"] },
  },
  dari_build_seconds: {
    kind: "histogram",
    about: "Duration of builds that became ready or failed.",
    labels: { result: ["ready", "failed"] },
    buckets: buildSeconds,
  },
  dari_egress_total: {
    kind: "counter",
    about: "Connections that agents requested, by outcome.",
    labels: { verdict: ["connected", "refused", "failed"] },
  },
  dari_egress_bytes_total: {
    kind: "counter",
    about: "Bytes transferred over agents' connections.",
    labels: { direction: ["sent", "received"] },
  },
  dari_job_retries_total: {
    kind: "counter",
    about: "Retries of failed jobs from the queue board.",
    labels: { outcome: ["retried", "refused", "nothing"] },
  },
  dari_job_promotions_total: { kind: "counter", about: "Promotions of delayed jobs from the queue board." },
} as const satisfies MetricCatalogue;

export const reconcilerMetrics = {
  dari_waiting_turns: {
    kind: "gauge",
    about:
      "Sessions whose turn waits for a slot, from PostgreSQL. Every reconciler reports the same value; use the " +
      "maximum.",
  },
  dari_waiting_oldest_seconds: {
    kind: "gauge",
    about: "How long the oldest of these turns has waited; 0 if none waits.",
  },
  dari_sessions: {
    kind: "gauge",
    about: "Sessions by place in the schedule, from PostgreSQL, without idle ones.",
    labels: { schedule: ["ready", "dispatched", "leased", "retry_wait", "blocked"] },
  },
  dari_queue_jobs: {
    kind: "gauge",
    about:
      "Turns by state, as on the queue board. `waiting` is read from PostgreSQL: turns that wait for a slot. The " +
      "other states are jobs in Redis. Absent without Redis and while Redis is unavailable.",
    labels: { state: ["waiting", "active", "delayed", "paused", "completed", "failed"] },
  },
  dari_reaped_total: {
    kind: "counter",
    about: "Sessions whose lease, dispatch or retry expired, by their place in the schedule and what was recorded.",
    labels: {
      was: "Place in the schedule: dispatched, leased, retry_wait.",
      recorded: "Outcome recorded for the attempt; `none` if there was no attempt.",
    },
  },
  dari_redispatches_total: {
    kind: "counter",
    about: "Turns that were dispatched again because Redis lost its data.",
  },
  dari_invariant_rounds_total: { kind: "counter", about: "Completed checks of all invariants by this reconciler." },
  dari_invariant_violations_total: {
    kind: "counter",
    about: "Violated invariants, counted once per check.",
    labels: { invariant: "Name of the invariant." },
  },
  dari_schedule_firings_total: {
    kind: "counter",
    about: "Due times of schedules, by outcome. missed: several in a row count as one. error: retried.",
    labels: { outcome: ["fired", "skipped", "missed", "failed", "error"] },
  },
  dari_webhook_attempts_total: {
    kind: "counter",
    about:
      "Delivery attempts to webhook endpoints, by outcome. superseded: the claim had expired, so nothing was recorded.",
    labels: { outcome: ["delivered", "retry", "failed", "superseded"] },
  },
  dari_webhook_endpoints_disabled_total: {
    kind: "counter",
    about:
      "Webhook endpoints that were disabled: all attempts failed, the receiver answered 410, or too many deliveries " +
      "waited.",
    labels: { reason: ["failing", "gone", "backlog"] },
  },
  dari_webhook_pending: {
    kind: "gauge",
    about: "Deliveries that wait for an attempt, including retries, from PostgreSQL. Use the maximum.",
  },
  dari_webhook_overdue_seconds: {
    kind: "gauge",
    about: "How long the oldest due delivery has waited for a sender; 0 if none waits.",
  },
  dari_webhook_notes: {
    kind: "gauge",
    about: "New events for which no deliveries have been created yet.",
  },
  dari_storage_total: {
    kind: "counter",
    about: "Work done by the object store's maintenance loops.",
    labels: { step: "expired, purged, recorded, squashed, swept.", what: "What is counted." },
  },
} as const satisfies MetricCatalogue;

/** Only with DARI_METRICS_BY_ORGANIZATION. */
export const organizationMetrics = {
  dari_organization_requests_total: {
    kind: "counter",
    about: "Requests with a key of the organization.",
    labels: { organization: "Id of the organization; `other` after the first 200." },
  },
  dari_organization_turns_total: {
    kind: "counter",
    about: "Turns of the organization that ended, like dari_turns_total.",
    labels: { organization: "Id of the organization; `other` after the first 200.", ending: "Like dari_turns_total." },
  },
} as const satisfies MetricCatalogue;

export const metricsByPart = {
  common: commonMetrics,
  api: apiMetrics,
  worker: workerMetrics,
  reconciler: reconcilerMetrics,
  organization: organizationMetrics,
} as const;

export const platformMetrics = {
  ...commonMetrics,
  ...apiMetrics,
  ...workerMetrics,
  ...reconcilerMetrics,
  ...organizationMetrics,
} as const satisfies MetricCatalogue;

export type PlatformMetric = keyof typeof platformMetrics;

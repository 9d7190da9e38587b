// Every metric of the platform: what it is, its labels, and which program has it. Labels have few values by intent:
// none names an organization, a session or a path, but where the operator asks for organizations.

import type { MetricCatalogue } from "@dari/runtime";

/** The same for fast steps and for agents that work for an hour. Seconds. */
const turnSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const buildSeconds = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_200];

export const commonMetrics = {
  dari_build_info: { kind: "gauge", about: "1, with the release that runs.", labels: { release: "As /v1 tells it." } },
  dari_database_connections: {
    kind: "gauge",
    about: "Connections of this process to PostgreSQL.",
    labels: { state: ["used", "idle"] },
  },
  dari_database_connections_max: { kind: "gauge", about: "Connections that this process may have." },
  dari_database_waiting: { kind: "gauge", about: "Statements of this process that wait for a connection." },
  dari_redis_available: {
    kind: "gauge",
    about: "1 while Redis answers this process, else 0. Absent where none is configured.",
  },
  dari_dispatches_total: {
    kind: "counter",
    about: "Turns that this process gave to workers: the dispatcher in the reconciler, or the API for a free slot.",
  },
  dari_delivery_failures_total: {
    kind: "counter",
    about: "Times that turns could not be put into the queue; workers then pull them.",
  },
  dari_loop_failures_total: {
    kind: "counter",
    about: "Failures of a program's loops that were logged; of a loop that keeps failing one in ten seconds.",
  },
} as const satisfies MetricCatalogue;

export const apiMetrics = {
  dari_http_requests_total: {
    kind: "counter",
    about: "Requests that ended.",
    labels: { method: "HTTP method.", route: "The route's pattern; `unknown`: none.", status: "HTTP status." },
  },
  dari_http_request_seconds: {
    kind: "histogram",
    about: "From a request's head to the end of its answer; streams and sync calls last as long as they are open.",
    labels: { method: "HTTP method.", route: "The route's pattern." },
    buckets: requestSeconds,
  },
  dari_http_unfinished_total: {
    kind: "counter",
    about: "Requests whose client went away before the answer was complete.",
  },
} as const satisfies MetricCatalogue;

export const workerMetrics = {
  dari_turns_total: {
    kind: "counter",
    about: "Turns that ended here, by what was recorded; superseded: another claim had taken over, nothing was.",
    labels: { ending: ["completed", "failed", "cancelled", "retry", "released", "suspended", "superseded"] },
  },
  dari_turn_failures_total: {
    kind: "counter",
    about: "Attempts that failed, by the code that clients see; those that are retried are among them.",
    labels: { code: "See docs/errors.md." },
  },
  dari_turn_queue_seconds: {
    kind: "histogram",
    about: "How long a turn that ended had waited before its claim.",
    buckets: turnSeconds,
  },
  dari_turn_phase_seconds: {
    kind: "histogram",
    about: "Where the time of a turn that ended went.",
    labels: { phase: ["image", "restore", "start", "agent", "kill", "save"] },
    buckets: turnSeconds,
  },
  dari_turns_not_recorded_total: {
    kind: "counter",
    about: "Turns whose end could not be written; their lease expires and the reaper ends them.",
  },
  dari_turns_running: { kind: "gauge", about: "Turns that hold a slot of this worker." },
  dari_slots_free: {
    kind: "gauge",
    about: "Slots of this worker that a turn may take now; none while memory is short.",
  },
  dari_slots_offered: { kind: "gauge", about: "What this worker counts as: slots taken and free." },
  dari_leases_lost_total: { kind: "counter", about: "Claims that this worker lost while their turns ran." },
  dari_lease_renewal_failures_total: {
    kind: "counter",
    about: "Renewals of all leases that failed; each is tried again.",
  },
  dari_builds_total: {
    kind: "counter",
    about: "Builds that ended; error: the platform's fault, they are tried again.",
    labels: { result: ["ready", "failed", "error"] },
  },
  dari_build_seconds: {
    kind: "histogram",
    about: "How long builds took that became ready or failed.",
    labels: { result: ["ready", "failed"] },
    buckets: buildSeconds,
  },
  dari_egress_total: {
    kind: "counter",
    about: "Connections that agents asked for, by what came of them.",
    labels: { verdict: ["connected", "refused", "failed"] },
  },
  dari_egress_bytes_total: {
    kind: "counter",
    about: "Bytes over the connections of agents.",
    labels: { direction: ["sent", "received"] },
  },
  dari_job_retries_total: {
    kind: "counter",
    about: "Failed jobs that an operator had retried from the queue board.",
    labels: { outcome: ["retried", "refused", "nothing"] },
  },
  dari_job_promotions_total: { kind: "counter", about: "Delayed jobs that an operator had promoted from the board." },
} as const satisfies MetricCatalogue;

export const reconcilerMetrics = {
  dari_waiting_turns: {
    kind: "gauge",
    about:
      "Sessions with a turn that waits for a slot, from PostgreSQL: the same in every reconciler, so take the max.",
  },
  dari_waiting_oldest_seconds: {
    kind: "gauge",
    about: "How long the oldest of them has waited; 0: none waits.",
  },
  dari_sessions: {
    kind: "gauge",
    about: "Sessions by their place in the schedule, from PostgreSQL; idle ones are not counted.",
    labels: { schedule: ["ready", "dispatched", "leased", "retry_wait", "blocked"] },
  },
  dari_queue_jobs: {
    kind: "gauge",
    about:
      "Turns by state, as the queue board counts them: `waiting` are the turns that wait for a slot, from " +
      "PostgreSQL; the others are jobs in Redis. Absent without Redis and while it is away.",
    labels: { state: ["waiting", "active", "delayed", "paused", "completed", "failed"] },
  },
  dari_reaped_total: {
    kind: "counter",
    about: "Sessions whose claim, dispatch or retry had run out, by what they were and what was recorded.",
    labels: {
      was: "Place in the schedule: dispatched, leased, retry_wait.",
      recorded: "What became of the attempt; `none`: there was none.",
    },
  },
  dari_redispatches_total: {
    kind: "counter",
    about: "Turns that were dispatched anew because Redis had lost its memory.",
  },
  dari_invariant_rounds_total: { kind: "counter", about: "Rounds of all invariants that this reconciler finished." },
  dari_invariant_violations_total: {
    kind: "counter",
    about: "Invariants found violated, each once a round.",
    labels: { invariant: "Its name." },
  },
  dari_schedule_firings_total: {
    kind: "counter",
    about: "Due times of schedules by what came of them; missed: several in a row are one. Error: tried again.",
    labels: { outcome: ["fired", "skipped", "missed", "failed", "error"] },
  },
  dari_webhook_attempts_total: {
    kind: "counter",
    about: "Attempts to deliver to webhook endpoints; superseded: the claim had run out, nothing was recorded.",
    labels: { outcome: ["delivered", "retry", "failed", "superseded"] },
  },
  dari_webhook_endpoints_disabled_total: {
    kind: "counter",
    about: "Webhook endpoints that were disabled: every attempt had failed, they said they are gone, too much waited.",
    labels: { reason: ["failing", "gone", "backlog"] },
  },
  dari_webhook_pending: {
    kind: "gauge",
    about: "Deliveries that wait for an attempt, retries among them, from PostgreSQL: take the max.",
  },
  dari_webhook_overdue_seconds: {
    kind: "gauge",
    about: "How long the delivery that has been due for longest has waited for a sender; 0: none waits.",
  },
  dari_webhook_notes: {
    kind: "gauge",
    about: "Additions to ledgers of which no deliveries have been made yet.",
  },
  dari_storage_total: {
    kind: "counter",
    about: "What the loops over the object store did.",
    labels: { step: "expired, purged, recorded, squashed, swept.", what: "What was counted." },
  },
} as const satisfies MetricCatalogue;

/** Only with DARI_METRICS_BY_ORGANIZATION. */
export const organizationMetrics = {
  dari_organization_requests_total: {
    kind: "counter",
    about: "Requests with a key of the organization.",
    labels: { organization: "Its id; `other` past the first 200." },
  },
  dari_organization_turns_total: {
    kind: "counter",
    about: "Turns of the organization that ended, as dari_turns_total.",
    labels: { organization: "Its id; `other` past the first 200.", ending: "As dari_turns_total." },
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

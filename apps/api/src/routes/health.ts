// Health checks for operators, outside of /v1.

import type { Control } from "@dari/control/context";
import { checkAccepting } from "@dari/control/turns";
import { checkHealth, type HealthChecks } from "@dari/runtime";
import type { Express } from "express";

/** Probes are frequent, so whether messages can be accepted is checked at most this often, in milliseconds. */
const acceptingForMs = 2_000;

export function mountHealth(app: Express, control: Control, draining: AbortSignal): void {
  const checks = readinessOf(control, draining);
  app.get("/healthz", (_request, response) => {
    response.json({ ok: true });
  });
  app.get("/readyz", async (_request, response) => {
    const { ok, checks: found } = await checkHealth(checks);
    // Health is public. The reason of a failure names machines and users, so it is only logged.
    if (!ok) control.log.warn({ checks: found }, "api.not_ready");
    const told = Object.entries(found).map(([name, text]) => [name, text === "ok" ? text : "failed"]);
    response.status(ok ? 200 : 503).json({ ok, checks: Object.fromEntries(told) });
  });
}

/** Checks whether messages can be accepted here, now and in the next moments. */
export function readinessOf(control: Control, draining: AbortSignal): HealthChecks {
  return {
    database: async () => void (await control.db.pool.query("select 1")),
    accepting: remember(acceptingForMs, () => checkAccepting(control.db)),
    serving: async () => {
      if (draining.aborted) throw new Error("the server is about to stop");
    },
  };
}

/** Answers all calls within `forMs` with one result, also while it is being computed. */
function remember(forMs: number, check: () => Promise<void>): () => Promise<void> {
  let askedAt = -Infinity;
  let answer: Promise<void> = Promise.resolve();
  return () => {
    if (performance.now() - askedAt > forMs) {
      askedAt = performance.now();
      answer = check();
      answer.catch(() => undefined);
    }
    return answer;
  };
}

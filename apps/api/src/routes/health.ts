// Whether the process lives and can do its work. Not part of /v1, because it is for operators.

import type { Control } from "@dari/control/context";
import { checkAccepting } from "@dari/control/turns";
import { checkHealth, type HealthChecks } from "@dari/runtime";
import type { Express } from "express";

/** Probes come from many places and often; accepting is tried at most this often. Milliseconds. */
const acceptingForMs = 2_000;

export function mountHealth(app: Express, control: Control, draining: AbortSignal): void {
  const checks = readinessOf(control, draining);
  app.get("/healthz", (_request, response) => {
    response.json({ ok: true });
  });
  app.get("/readyz", async (_request, response) => {
    const { ok, checks: found } = await checkHealth(checks);
    // Anybody may ask. Why a check fails, which names machines and users, is for the log.
    if (!ok) control.log.warn({ checks: found }, "api.not_ready");
    const told = Object.entries(found).map(([name, text]) => [name, text === "ok" ? text : "failed"]);
    response.status(ok ? 200 : 503).json({ ok, checks: Object.fromEntries(told) });
  });
}

/** Whether messages can be accepted here, and will be a moment from now. */
export function readinessOf(control: Control, draining: AbortSignal): HealthChecks {
  return {
    database: async () => void (await control.db.pool.query("select 1")),
    accepting: remember(acceptingForMs, () => checkAccepting(control.db)),
    serving: async () => {
      if (draining.aborted) throw new Error("the server is about to stop");
    },
  };
}

/** One answer for everybody who asks within `forMs`, also while it is being found. */
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

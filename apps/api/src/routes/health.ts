// Health checks for operators, outside of /v1.

import type { Control } from "@dari/control/context";
import { checkMessagesAccepted } from "@dari/control/turns";
import { checkHealth, type HealthChecks } from "@dari/runtime";
import type { Express } from "express";

/** How long the result of the check `accepting` is reused, in milliseconds, because probes are frequent. */
const acceptingCheckReuseMs = 2_000;

export function mountHealth(app: Express, control: Control, draining: AbortSignal): void {
  const checks = createReadiness(control, draining);
  app.get("/healthz", (_request, response) => {
    response.json({ ok: true });
  });
  app.get("/readyz", async (_request, response) => {
    const { ok, checks: found } = await checkHealth(checks);
    // Health is public. The reason of a failure names machines and users, so it is only logged.
    if (!ok) control.log.warn({ checks: found }, "api.not_ready");
    const shown = Object.entries(found).map(([name, text]) => [name, text === "ok" ? text : "failed"]);
    response.status(ok ? 200 : 503).json({ ok, checks: Object.fromEntries(shown) });
  });
}

/** Returns the checks of `/readyz`. They pass while this server can accept messages and is not draining. */
export function createReadiness(control: Control, draining: AbortSignal): HealthChecks {
  return {
    database: async () => void (await control.db.pool.query("select 1")),
    accepting: reuseResult(acceptingCheckReuseMs, () => checkMessagesAccepted(control.db)),
    serving: async () => {
      if (draining.aborted) throw new Error("the server is draining before it stops; send new requests to another API");
    },
  };
}

/** Returns a function that runs `check` at most once in `reuseMs`. Calls in between share the last run's result. */
function reuseResult(reuseMs: number, check: () => Promise<void>): () => Promise<void> {
  let startedAt = -Infinity;
  let result: Promise<void> = Promise.resolve();
  return () => {
    if (performance.now() - startedAt > reuseMs) {
      startedAt = performance.now();
      result = check();
      result.catch(() => undefined);
    }
    return result;
  };
}

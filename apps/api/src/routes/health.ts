// Whether the process lives and can do its work. Not part of /v1: for whoever runs it.

import type { Control } from "@dari/control";
import { checkHealth } from "@dari/runtime";
import type { Express } from "express";

export function mountHealth(app: Express, control: Control, draining: AbortSignal): void {
  app.get("/healthz", (_request, response) => {
    response.json({ ok: true });
  });
  app.get("/readyz", async (_request, response) => {
    const report = await checkHealth({
      database: async () => void (await control.db.pool.query("select 1")),
      serving: async () => {
        if (draining.aborted) throw new Error("the server is about to stop");
      },
    });
    response.status(report.ok ? 200 : 503).json(report);
  });
}

// Routes for operators outside of /v1: metrics and the queue board.

import type { Control } from "@dari/control/context";
import type { MetricsPage } from "@dari/runtime";
import type { Express } from "express";
import { refuseUnknownMethod } from "../http/errors.ts";
import type { BoardQueue } from "./board-call.ts";
import { boardSignIn, mountBoard } from "./board.ts";
import { authenticateOperator } from "./authenticate-operator.ts";

export interface Ops {
  readonly control: Control;
  readonly metrics: MetricsPage | undefined;
  readonly queue: BoardQueue | undefined;
}

export function mountOps(app: Express, { control, metrics, queue }: Ops): void {
  if (metrics !== undefined) {
    app.get("/metrics", async (request, response) => {
      response.locals["route"] = "/metrics";
      await authenticateOperator(control, request);
      response.set("content-type", metrics.contentType).end(await metrics.read());
    });
    app.all("/metrics", refuseUnknownMethod(["GET"]));
  }
  app.get("/ops", (_request, response) => response.redirect(303, "/ops/queues"));
  // The address of releases that had a sign-in page of their own.
  app.get("/ops/sign-in", (_request, response) => response.redirect(303, boardSignIn));
  mountBoard(app, control, queue);
}

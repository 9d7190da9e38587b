// Gives every request an id, which its reply, log lines and errors contain.

import { randomUUID } from "node:crypto";
import type { NextFunction, Request, Response } from "express";

const sanePattern = /^[A-Za-z0-9._:-]{1,128}$/;

/** Keeps the client's `X-Request-Id` if it is safe to log and to send back. */
export function assignRequestId(request: Request, response: Response, next: NextFunction): void {
  const sent = request.get("x-request-id");
  const id = sent !== undefined && sanePattern.test(sent) ? sent : randomUUID();
  response.locals["requestId"] = id;
  response.set({ "x-request-id": id, "x-content-type-options": "nosniff", "cache-control": "no-store" });
  next();
}

export function requestIdOf(response: Response): string {
  return String(response.locals["requestId"]);
}

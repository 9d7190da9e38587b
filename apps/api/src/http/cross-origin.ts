// Calls of pages of other origins (CORS). Only calls with a session token are readable there, and only from the origins
// that the token's organization allows. Cookies and API keys never work across origins.

import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";
import type { NextFunction, Request, Response } from "express";

/** How long browsers remember a preflight, in seconds. Chromium's maximum is two hours. */
const preflightSeconds = 7_200;

const requestHeaders = [
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "prefer",
  "range",
  "user-agent",
].join(", ");

const replyHeaders = [
  "accept-ranges",
  "content-disposition",
  "content-range",
  "dari-restored-from",
  "etag",
  "idempotent-replayed",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "server-timing",
  "x-request-id",
].join(", ");

/**
 * Answers preflights of a path. A preflight has no token, so its organization is not known: every origin gets the same
 * reply, which says nothing about organizations. The call itself is then refused if its origin is not allowed.
 * `Access-Control-Allow-Credentials` is never sent, so browsers send no cookies.
 */
export function answerPreflight(methods: readonly string[]) {
  const allowed = methods.includes("GET") ? [...methods, "HEAD"] : methods;
  return (request: Request, response: Response, next: NextFunction): void => {
    if (request.get("origin") === undefined || request.get("access-control-request-method") === undefined)
      return next();
    response.status(204).set({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": allowed.join(", "),
      "access-control-allow-headers": requestHeaders,
      "access-control-max-age": String(preflightSeconds),
    });
    response.end();
  };
}

/**
 * Lets a page read the reply if its origin is one of `origins`. Calls of programs, which send no origin, and of pages
 * at the public address continue. The `Host` header does not count: a page that resolves its own name to the platform
 * chooses it.
 * @throws AppError `forbidden` for a page of another origin.
 */
export function allowOrigin(control: Control, origins: readonly string[], request: Request, response: Response): void {
  response.vary("Origin");
  const origin = request.get("origin");
  if (origin === undefined || origin === new URL(control.publicUrl).origin) return;
  if (!origins.includes(origin)) {
    throw new AppError(
      "forbidden",
      `pages of ${origin.slice(0, shownChars)} cannot use the organization's session tokens; an admin can add the ` +
        "origin to its allowed origins",
    );
  }
  response.set({ "access-control-allow-origin": origin, "access-control-expose-headers": replyHeaders });
}

/** Lets a page read a reply that names no organization. */
export function allowAnyOrigin(request: Request, response: Response): void {
  if (request.get("origin") !== undefined) response.set({ "access-control-allow-origin": "*" });
}

/** How much of a refused origin the error shows. */
const shownChars = 200;

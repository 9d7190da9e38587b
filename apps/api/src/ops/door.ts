// Who may enter what is for operators: a key in the header, or the cookie of a sign-in. A cookie comes along by itself,
// so what changes something must come from our own pages.

import { authenticateKey, requireOperator, unauthenticated, type Actor, type Control } from "@dari/control";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import { bearerOf } from "../http/bearer.ts";
import { operatorOfCookies } from "./session.ts";

/** @throws AppError `unauthenticated`; `forbidden` for a key that is no operator's. */
export async function operatorOfKey(control: Control, key: string | undefined): Promise<Actor> {
  const actor = await authenticateKey(control, key);
  await requireOperator(control, actor);
  return actor;
}

/** @throws AppError as `operatorOfKey`; `forbidden` for a change with a cookie that another site asks for. */
export async function operatorOf(control: Control, request: Request): Promise<Actor> {
  if (request.get("authorization") !== undefined) return operatorOfKey(control, bearerOf(request));
  const actor = await operatorOfCookies(control, request.get("cookie"));
  if (actor === undefined) throw unauthenticated();
  if (request.method !== "GET" && request.method !== "HEAD") requireSameOrigin(control, request);
  return actor;
}

/**
 * Browsers say where a request that changes something comes from; one that says nothing is none of ours.
 * @throws AppError `forbidden`
 */
export function requireSameOrigin(control: Control, request: Request): void {
  const origin = request.get("origin");
  const site = request.get("sec-fetch-site");
  const isOurs = origin !== undefined && isOwnOrigin(control, request, origin);
  if (isOurs && (site === undefined || site === "same-origin")) return;
  throw new AppError("forbidden", "this must be asked for from the platform's own pages, or with a key in the header");
}

function isOwnOrigin(control: Control, request: Request, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, protocol } = new URL(origin);
  if (protocol !== "http:" && protocol !== "https:") return false;
  return host === request.get("host") || origin === new URL(control.publicUrl).origin;
}

/** What pages for operators may load and who may frame them: nothing of other hosts, nobody. */
export function protectPage(response: Response): void {
  response.set({
    "content-security-policy":
      "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; " +
      "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
  });
}

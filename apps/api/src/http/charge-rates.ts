// Counts a call against the rate limits of its organization and key, and sends the headers that say what is left.

import type { Route } from "@dari/contract";
import type { Actor, Control, RateLimitState } from "@dari/control/context";
import type { RateKind } from "@dari/db";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import { setUnlessSent } from "./late-headers.ts";

const nouns: Readonly<Record<RateKind, string>> = {
  requests: "requests",
  messages: "messages",
  upload_bytes: "upload bytes",
};

/**
 * Takes `amount`, and sets the headers `RateLimit-Policy` and `RateLimit`. `advice`: what a refused caller can do
 * besides waiting.
 * @throws AppError `limit_exceeded`, with the seconds until there is enough.
 */
export async function chargeRate(
  control: Control,
  actor: Actor,
  what: { readonly kind: RateKind; readonly amount: number; readonly advice?: string | undefined },
  response: Response,
): Promise<void> {
  const { granted, standings } = await control.rates.take(actor, what.kind, what.amount);
  tell(response, standings);
  if (!granted) throw refusal(actor, what.amount, standings, what.advice);
}

function refusal(
  { sessionToken }: Actor,
  amount: number,
  standings: readonly RateLimitState[],
  advice?: string,
): AppError {
  const short = standings.filter(({ remaining }) => remaining < amount);
  const [tightest] = (short.length > 0 ? short : standings).toSorted((a, b) => b.resetSeconds - a.resetSeconds);
  if (tightest === undefined) throw new Error("a request was refused without a limit");
  const { of, kind, quota, windowSeconds, resetSeconds } = tightest;
  const window = windowSeconds === 60 ? "minute" : "hour";
  const key = sessionToken === undefined ? "the API key" : "the session token, or of the key that made it,";
  const owner = of === "key" ? key : "the organization";
  const detail =
    amount > quota
      ? `this request has ${amount} ${nouns[kind]}; the limit of ${owner} is ${quota} per ${window}`
      : `rate limit of ${owner} reached: ${quota} ${nouns[kind]} per ${window}; retry in ${resetSeconds} s`;
  const full = advice === undefined ? detail : `${detail}; ${advice}`;
  return new AppError("limit_exceeded", full, { retryAfterSeconds: Math.max(1, resetSeconds) });
}

/** Writes both headers as the IETF draft defines them: lists of named policies. */
function tell(response: Response, more: readonly RateLimitState[]): void {
  if (more.length === 0) return;
  const standings = [...((response.locals["rates"] as RateLimitState[] | undefined) ?? []), ...more];
  response.locals["rates"] = standings;
  const policies = standings.map((standing) => {
    const unit = standing.kind === "upload_bytes" ? ';qu="content-bytes"' : "";
    return `"${nameOf(standing)}";q=${standing.quota}${unit};w=${standing.windowSeconds}`;
  });
  const left = standings.map((standing) => `"${nameOf(standing)}";r=${standing.remaining};t=${standing.resetSeconds}`);
  setUnlessSent(response, { "ratelimit-policy": policies.join(", "), ratelimit: left.join(", ") });
}

function nameOf({ of, kind }: RateLimitState): string {
  return `${of === "key" ? "key-" : ""}${kind.replace("_", "-")}`;
}

/** How much of a body can arrive together with its headers. */
const firstBytes = 65_536;

/**
 * Takes the bytes of an upload before they are read. A call that does not announce its size counts as `most`, the
 * largest, and gets back the difference at its end.
 */
export async function chargeUpload(
  control: Control,
  actor: Actor,
  most: number,
  request: Request,
  response: Response,
): Promise<void> {
  const contentLength = request.get("content-length");
  const amount = contentLength === undefined ? most : Number(contentLength);
  // A body that is too large gets its own error.
  if (!(amount > 0) || amount > most) return;
  const { socket } = request;
  const before = socket.bytesRead - firstBytes;
  const advice = `an upload without Content-Length counts as ${most} bytes until it ends: send its length`;
  const what = { kind: "upload_bytes", amount, advice: contentLength === undefined ? advice : undefined } as const;
  await chargeRate(control, actor, what, response);
  if (contentLength !== undefined) return;
  response.once("close", () => {
    const unused = amount - (socket.bytesRead - before);
    if (unused <= 0) return;
    control.rates.take(actor, "upload_bytes", -unused).catch((err: unknown) => {
      control.log.warn({ err, org: actor.organizationId }, "rates.give_back_failed");
    });
  });
}

/** Takes what the body asks for: messages, or the bytes that it reserves. */
export async function chargeBody(
  control: Control,
  actor: Actor,
  route: Route,
  body: unknown,
  response: Response,
): Promise<void> {
  if (route.countsAs === "messages") await chargeRate(control, actor, { kind: "messages", amount: 1 }, response);
  if (route.countsAs === "batch") {
    const { sessions, items = sessions } = body as Partial<Record<"sessions" | "items", readonly unknown[]>>;
    await chargeRate(control, actor, { kind: "messages", amount: items?.length ?? 0 }, response);
  }
  if (route.countsAs !== "reservation") return;
  const { size_bytes: amount } = body as { readonly size_bytes: number };
  if (amount > 0) await chargeRate(control, actor, { kind: "upload_bytes", amount }, response);
}

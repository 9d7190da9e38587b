// Redirects a browser to the identity provider and back, and from the short address that command lines show. The
// contract's routes never redirect.

import type { Control } from "@dari/control/context";
import { limitSignInTries, signInVerifiedPerson, type SignInProblem } from "@dari/control/tenants";
import { AppError, isId } from "@dari/domain";
import type { Express, Request, Response } from "express";
import { serializeCookie, serializeExpiredCookie, readCookie } from "../http/cookies.ts";
import { refuseUnknownMethod } from "../http/errors.ts";
import { requestIdOf } from "../http/request-id.ts";
import { countPublicCall } from "../http/limit-unauthenticated.ts";
import { setSignInCookie } from "../http/authenticate-request.ts";
import { getClientPrefix } from "./client-prefix.ts";
import { createOidcAttempt, type OidcPerson, type OidcProvider } from "./oidc-provider.ts";
import { openState, safeConsolePath, attemptSeconds, sealState, type OidcState } from "./oidc-state.ts";

const startPath = "/auth/oidc/start";
const callbackPath = "/auth/oidc/callback";
const cookieName = "dari_oidc";

/** Why a sign-in failed. The console's page has the texts. */
type Problem = "expired" | "refused" | "unavailable" | "no_email" | SignInProblem;

export function mountSignIn(app: Express, control: Control, provider: OidcProvider | undefined): void {
  app.get("/device", (request, response) => {
    response.locals["route"] = "/device";
    const { code } = request.query;
    const known = typeof code === "string" && /^[A-Za-z-]{8,20}$/.test(code) ? `?code=${code}` : "";
    response.redirect(303, `/console/device${known}`);
  });
  app.all("/device", refuseUnknownMethod(["GET"]));
  app.get(startPath, (request, response) => start(control, provider, request, response));
  app.all(startPath, refuseUnknownMethod(["GET"]));
  app.get(callbackPath, (request, response) => finish(control, provider, request, response));
  app.all(callbackPath, refuseUnknownMethod(["GET"]));
}

function required(provider: OidcProvider | undefined): OidcProvider {
  if (provider !== undefined) return provider;
  throw new AppError("not_found", "no identity provider is configured; sign in with a link or a key");
}

async function start(
  control: Control,
  configured: OidcProvider | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  response.locals["route"] = startPath;
  const provider = required(configured);
  countPublicCall(response);
  await limitSignInTries(control, "sign_in", getClientPrefix(request));
  const { return_to: wanted, organization } = request.query;
  const round = createOidcAttempt();
  // Another site must not sign a browser in to an organization that it chose: anyone can invite a person.
  const site = request.get("sec-fetch-site") ?? "none";
  const isOwnWish = site === "none" || site === "same-origin";
  const isAsked = typeof organization === "string" && isId("organization", organization);
  const organizationId = isOwnWish && isAsked ? organization : undefined;
  try {
    const url = await provider.begin(redirectUri(control), round);
    const state = sealState(control, { ...round, returnTo: safeConsolePath(wanted), organizationId });
    // `Lax`, because the browser must send it when the provider redirects back.
    const cookie = serializeCookie(control, cookieName, state, { seconds: attemptSeconds, sameSite: "Lax" });
    response.set("set-cookie", cookie).redirect(303, url.href);
  } catch (error) {
    control.log.warn({ err: error, request_id: requestIdOf(response) }, "oidc.provider_away");
    giveUp(response, "unavailable");
  }
}

async function finish(
  control: Control,
  configured: OidcProvider | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  response.locals["route"] = callbackPath;
  const provider = required(configured);
  countPublicCall(response);
  await limitSignInTries(control, "sign_in", getClientPrefix(request));
  const state = openState(control, readCookie(control, request, cookieName));
  response.set("set-cookie", serializeExpiredCookie(control, cookieName));
  if (state === undefined) return giveUp(response, "expired");
  const person = await identify(control, provider, state, request, response);
  if (person === undefined) return giveUp(response, "refused");
  if (person.email === undefined) return giveUp(response, "no_email");
  const { organizationId, returnTo } = state;
  const proven = { ...person, email: person.email };
  const signIn = await signInVerifiedPerson(control, proven, { organizationId, requestId: requestIdOf(response) });
  if (typeof signIn === "string") return giveUp(response, signIn);
  response.set("set-cookie", [serializeExpiredCookie(control, cookieName), setSignInCookie(control, signIn)]);
  response.redirect(303, returnTo);
}

/** Returns undefined if the provider refused, or its answer does not belong to this browser's sign-in. */
async function identify(
  control: Control,
  provider: OidcProvider,
  state: OidcState,
  request: Request,
  response: Response,
): Promise<OidcPerson | undefined> {
  try {
    const url = new URL(redirectUri(control));
    url.search = new URL(request.originalUrl, control.publicUrl).search;
    return await provider.finish(url, state);
  } catch (error) {
    // The address contains the code, which is valid once, so it is not logged.
    control.log.warn({ err: error, request_id: requestIdOf(response) }, "oidc.refused");
    return undefined;
  }
}

/** Returns the URI for the provider's redirect. It must equal the URI that is registered with the provider. */
function redirectUri(control: Control): string {
  return `${control.publicUrl}${callbackPath}`;
}

function giveUp(response: Response, problem: Problem): void {
  response.redirect(303, `/console?problem=${problem}`);
}

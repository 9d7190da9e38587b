// The page where an operator signs a browser in with a key. The key itself is not stored.

import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";
import express, { type Express, type Request, type Response } from "express";
import { refuseUnknownMethod } from "../http/errors.ts";
import { countUnauthenticatedCall } from "../http/limit-unauthenticated.ts";
import { requireSameOrigin } from "../http/same-origin.ts";
import { authenticateOperatorKey, setPageSecurityHeaders } from "./authenticate-operator.ts";
import { readOpsCookies, createOpsCookie, clearOpsCookie } from "./session.ts";

const readForm = express.urlencoded({ extended: false, limit: 2_048, parameterLimit: 10 });

export function mountSignIn(app: Express, control: Control): void {
  app.get("/ops/sign-in", async (request, response) => {
    response.locals["route"] = "/ops/sign-in";
    const isSignedIn = (await readOpsCookies(control, request.get("cookie"))) !== undefined;
    showPage(response, 200, { isSignedIn });
  });
  app.post("/ops/sign-in", readForm, (request, response) => signIn(control, request, response));
  app.all("/ops/sign-in", refuseUnknownMethod(["GET", "POST"]));
  app.post("/ops/sign-out", (request, response) => {
    response.locals["route"] = "/ops/sign-out";
    requireSameOrigin(control, request);
    response.set("set-cookie", clearOpsCookie(control)).redirect(303, "/ops/sign-in");
  });
  app.all("/ops/sign-out", refuseUnknownMethod(["POST"]));
}

async function signIn(control: Control, request: Request, response: Response): Promise<void> {
  response.locals["route"] = "/ops/sign-in";
  // Otherwise another site could sign a browser in as someone else.
  requireSameOrigin(control, request);
  const key = (request.body as { key?: unknown } | undefined)?.key;
  if (typeof key !== "string" || key.trim() === "") {
    return showPage(response, 422, { problem: "An API key is needed." });
  }
  try {
    const actor = await authenticateOperatorKey(control, key.trim());
    control.log.info({ org: actor.organizationId, key_id: actor.keyId }, "ops.signed_in");
    response.set("set-cookie", createOpsCookie(control, actor)).redirect(303, "/ops/queues");
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === "unauthenticated") {
      const refusal = countUnauthenticatedCall(response);
      if (refusal !== undefined) throw refusal;
      return showPage(response, 401, { problem: "This key is not valid." });
    }
    if (error.code === "forbidden") return showPage(response, 403, { problem: "This key is not an operator's." });
    throw error;
  }
}

interface PageContent {
  /** A text of ours, never the request's. */
  readonly problem?: string;
  readonly isSignedIn?: boolean;
}

function showPage(response: Response, status: number, { problem, isSignedIn = false }: PageContent): void {
  setPageSecurityHeaders(response);
  const signOut = `<p>You are signed in. <a href="/ops/queues">Queues</a></p>
<form method="post" action="/ops/sign-out"><button>Sign out</button></form>`;
  response.status(status).type("html").send(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Dari</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 26rem; margin: 15vh auto; padding: 0 1rem }
label, input, button { display: block; font: inherit }
input { width: 100%; box-sizing: border-box; padding: .5rem; margin: .25rem 0 1rem }
button { padding: .5rem 1rem }
[role=alert] { color: light-dark(#b00020, #ff8a80) }
</style>
<main>
<h1>Operators</h1>
${problem === undefined ? "" : `<p role="alert">${problem}</p>`}
${isSignedIn ? signOut : ""}
<form method="post" action="/ops/sign-in">
<label for="key">Admin key of the organization that runs the platform</label>
<input id="key" name="key" type="password" autocomplete="off" required autofocus>
<button>Sign in</button>
</form>
</main></html>
`);
}

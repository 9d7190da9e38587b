// The API's description for programs and people. Public: it contains no data.

import { createHash } from "node:crypto";
import { buildOpenApi } from "@dari/contract";
import type { Control } from "@dari/control/context";
import type { Express } from "express";
import { refuseUnknownMethod } from "../http/errors.ts";
import { readDocument } from "./document.ts";
import { pageScript, renderReference } from "./render.ts";

const cachedSeconds = 300;

/** `/openapi.json`: OpenAPI 3.1, from the schemas that validate calls. `/docs`: the same as a page. */
export function mountReference(app: Express, control: Control): void {
  let known: { readonly serverUrl: string; readonly json: string; readonly page: string } | undefined;
  const reference = () => {
    const serverUrl = control.publicUrl;
    if (known?.serverUrl === serverUrl) return known;
    const document = buildOpenApi({ version: "1", serverUrl });
    known = { serverUrl, json: JSON.stringify(document), page: renderReference(readDocument(document)) };
    return known;
  };
  const scriptHash = createHash("sha256").update(pageScript).digest("base64");

  app.get("/openapi.json", (_request, response) => {
    response.locals["route"] = "/openapi.json";
    // Other origins may read it: it is public, and no key is read.
    response.set({ "cache-control": `public, max-age=${cachedSeconds}`, "access-control-allow-origin": "*" });
    response.type("json").send(reference().json);
  });
  app.get("/docs", (_request, response) => {
    response.locals["route"] = "/docs";
    response.set({
      "cache-control": `public, max-age=${cachedSeconds}`,
      "content-security-policy":
        `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; ` +
        // Calls that a person tries go to this origin, with the cookie of the console's sign-in.
        "connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    });
    response.type("html").send(reference().page);
  });
  for (const path of ["/openapi.json", "/docs"]) app.all(path, refuseUnknownMethod(["GET"]));
}

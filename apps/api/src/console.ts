// Serves the console: built files, with the strictest policy that a page can have.

import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import path from "node:path";
import express, { type Express, type NextFunction, type Request, type Response } from "express";

/** Where this checkout builds the console. */
const checkoutsOwn = path.resolve(import.meta.dirname, "../../console/dist");

/** Assets are named by their content. Express does not overwrite a header, and the API's own says `no-store`. */
const forGood = "public, max-age=31536000, immutable";

/**
 * Loads only from this origin, runs nothing inline, and refuses framing. Previews of images are blobs that the page
 * makes.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const notBuilt = `<!doctype html><meta charset="utf-8"><title>Dari</title><h1>The console is not built</h1>
<p>Where the platform was just started, it is being built: reload this page in a moment.</p>
<p>Else build it with <code>npm run console</code>, or name a built one by <code>DARI_CONSOLE_DIR</code>.</p>`;

/**
 * Serves the console below `/console`: its hashed assets with a long cache lifetime, the page itself for every other
 * path. Each request reads the directory, so a console that is built later is found.
 */
export function mountConsole(app: Express, directory: string = checkoutsOwn): void {
  const assets = path.join(directory, "assets");
  app.get("/", (request, response, next) => {
    if (request.accepts("json", "html") !== "html") return next();
    response.vary("accept").redirect(303, "/console");
  });
  app.use("/console", setHeaders);
  const keep = (response: ServerResponse) => void response.setHeader("cache-control", forGood);
  app.get("/console/assets/:name", sendPacked(assets));
  app.use("/console/assets", express.static(assets, { index: false, cacheControl: false, setHeaders: keep }));
  app.get(["/console", "/console/*place"], async (request, response, next) => {
    // A missing asset is an error. Sending the page instead would make a browser run HTML as a script.
    if (request.path.startsWith("/console/assets/")) return next();
    const page = await readFile(path.join(directory, "index.html"), "utf8").catch(() => undefined);
    response
      .status(page === undefined ? 503 : 200)
      .set("cache-control", "no-cache")
      .type("html")
      .send(page ?? notBuilt);
  });
}

/** Sends the compressed copy of an asset if the browser accepts it. Otherwise calls the next handler. */
function sendPacked(assets: string) {
  return async (request: Request<{ name: string }>, response: Response, next: NextFunction): Promise<void> => {
    const { name } = request.params;
    const known = /^[\w-]+\.(js|css|svg)$/.test(name) && request.acceptsEncodings("gzip") !== false;
    const packed = known ? await readFile(path.join(assets, `${name}.gz`)).catch(() => undefined) : undefined;
    if (packed === undefined) return next();
    response.set({ "content-encoding": "gzip", "cache-control": forGood, vary: "accept-encoding" });
    response.type(path.extname(name)).send(packed);
  };
}

function setHeaders(_request: Request, response: Response, next: NextFunction): void {
  response.set({
    "content-security-policy": policy,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  next();
}

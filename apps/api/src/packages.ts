// Serves the packages of this release to everyone: the command, the clients, and a script that installs the command.

import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Express, NextFunction, Request, Response } from "express";
import { countPublicCall } from "./http/limit-unauthenticated.ts";
import { renderInstallScript } from "./install-script.ts";
import { isLoopback } from "./sign-in/oidc-provider.ts";

/** Where this checkout builds the packages. */
const checkoutsOwn = path.resolve(import.meta.dirname, "../../../packages/packaging/dist");

/** A new release has the same addresses, so they are cached briefly. Seconds. */
const maxAgeSeconds = 300;

const notBuilt =
  "the packages are not built: after a start, they are built in the background; otherwise run `npm run packages`";

/** A row of the list that the build writes. */
interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface PackagesOptions {
  /** Directory of the built packages (default: where this checkout builds them). */
  readonly packagesDir?: string | undefined;
  /** Where a platform of one machine saves its address and key; only callers on this machine learn the path. */
  readonly connectionFile?: string | undefined;
}

/**
 * Serves `/install.sh`, and the packages below `/packages`. Each request reads the directory, so packages that are
 * built later are found.
 */
export function mountPackages(app: Express, control: Control, options: PackagesOptions): void {
  const { packagesDir: directory = checkoutsOwn, connectionFile } = options;
  app.get(["/install.sh", "/packages", "/packages/*file"], countCall);
  app.get("/install.sh", async (request, response) => {
    await listPackages(directory);
    setHeaders(response, "text/x-shellscript; charset=utf-8");
    const url = platformUrl(control, request);
    const isLocal = connectionFile !== undefined && isOnThisMachine(control, request, url);
    if (isLocal) response.set("cache-control", "no-store");
    response.vary("host").send(renderInstallScript(url, isLocal ? connectionFile : undefined));
  });
  app.get("/packages", async (request, response) => {
    const built = await listPackages(directory);
    setHeaders(response, "text/html; charset=utf-8");
    response.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    response.vary("host").send(renderIndex(built, platformUrl(control, request)));
  });
  app.get("/packages/:file", async (request, response, next) => {
    const found = (await listPackages(directory)).find(({ file }) => file === request.params.file);
    if (found === undefined) return next();
    setHeaders(response, found.file.endsWith(".tgz") ? "application/gzip" : "application/octet-stream");
    response.set("etag", `"${found.sha256}"`);
    response.sendFile(found.file, { root: directory, cacheControl: false, dotfiles: "allow" }, (error) => {
      if (error === undefined || error === null || response.headersSent) return;
      // A build has just replaced the directory.
      response.removeHeader("etag");
      response.removeHeader("cache-control");
      next(new AppError("unavailable", notBuilt));
    });
  });
}

function countCall(_request: Request, response: Response, next: NextFunction): void {
  countPublicCall(response);
  next();
}

function setHeaders(response: Response, type: string): void {
  response.set({
    "cache-control": `public, max-age=${maxAgeSeconds}`,
    "content-type": type,
    "x-content-type-options": "nosniff",
  });
}

/** @throws AppError `unavailable` if they are not built. */
async function listPackages(directory: string): Promise<readonly BuiltPackage[]> {
  const text = await readFile(path.join(directory, "index.json"), "utf8").catch(() => undefined);
  if (text === undefined) throw new AppError("unavailable", notBuilt);
  return JSON.parse(text) as BuiltPackage[];
}

/** Nothing in it has a meaning in a shell or in HTML. */
const plainHost = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?$/;

/**
 * Returns the platform's address as this caller reaches it. `DARI_PUBLIC_URL` decides between http and https if it
 * matches.
 */
function platformUrl({ publicUrl }: Control, request: Request): string {
  const host = request.get("host") ?? "";
  if (!plainHost.test(host) || new URL(publicUrl).host === host) return publicUrl;
  // request.protocol is X-Forwarded-Proto as a client or a proxy wrote it, so it is not used here.
  return `${request.secure ? "https" : "http"}://${host}`;
}

/** Returns whether the caller connects from this machine, to a platform for this machine, and not through a proxy. */
function isOnThisMachine({ publicUrl }: Control, request: Request, url: string): boolean {
  const address = request.socket.remoteAddress ?? "";
  const isForwarded = ["forwarded", "x-forwarded-for", "via"].some((name) => request.get(name) !== undefined);
  const isFromHere = address === "::1" || /^(::ffff:)?127\./.test(address);
  return isFromHere && !isForwarded && [publicUrl, url].every((each) => isLoopback(new URL(each)));
}

function renderIndex(built: readonly BuiltPackage[], url: string): string {
  const rows = built.map(
    ({ file, name, version }) => `<li><a href="/packages/${file}">${file}</a> (${name} ${version})`,
  );
  return `<!doctype html><meta charset="utf-8"><title>Packages</title><h1>Packages</h1>
<ul>
${rows.join("\n")}
</ul>
<p>The <code>dari</code> command: <code>curl -fsSL ${url}/install.sh | sh</code></p>
<p>A client: <code>npm install ${url}/packages/FILE</code> or <code>pip install ${url}/packages/FILE</code></p>
`;
}

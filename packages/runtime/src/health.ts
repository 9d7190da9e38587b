// Whether a program can do its work: runs the checks of its dependencies.

import { createServer } from "node:http";
import type { MetricsPage } from "./metrics.ts";
import { redactText } from "./redact-secrets.ts";

export type HealthChecks = Readonly<Record<string, () => Promise<void>>>;

export interface HealthReport {
  readonly ok: boolean;
  /** "ok", or the reason why not, per dependency. */
  readonly checks: Readonly<Record<string, string>>;
}

/**
 * Runs all checks concurrently. A check that takes longer than `timeoutMs` (default 2 s) counts as failed. Never
 * rejects.
 */
export async function checkHealth(checks: HealthChecks, timeoutMs = 2_000): Promise<HealthReport> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await outcome(check, timeoutMs)] as const),
  );
  return { ok: results.every(([, text]) => text === "ok"), checks: Object.fromEntries(results) };
}

async function outcome(check: () => Promise<void>, timeoutMs: number): Promise<string> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs);
  const answer = async (): Promise<string> => {
    try {
      await check();
      return "ok";
    } catch (error) {
      return redactText(error instanceof Error ? error.message || error.name : String(error));
    }
  };
  const text = await Promise.race([answer(), late]);
  clearTimeout(timer);
  return text;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * Listens on `host` (default 127.0.0.1). GET /healthz: 200 while the process answers at all. GET /readyz: 200 while
 * every check passes, else 503, with the report and the counters as JSON. GET /metrics: for Prometheus. No key is
 * needed, because the port is for operators. Port 0 picks a free one.
 */
export async function serveHealth(options: {
  readonly port: number;
  readonly host?: string;
  readonly checks: HealthChecks;
  readonly counters?: () => object;
  readonly metrics?: MetricsPage;
}): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(`${JSON.stringify(body)}\n`);
    };
    if (request.method !== "GET" && request.method !== "HEAD") response.writeHead(405, { allow: "GET, HEAD" }).end();
    else if (request.url === "/healthz") answer(200, { ok: true });
    else if (request.url === "/metrics" && options.metrics !== undefined) {
      const { contentType } = options.metrics;
      void options.metrics.read().then((text) => {
        response.writeHead(200, { "content-type": contentType });
        response.end(text);
      });
    } else if (request.url !== "/readyz") response.writeHead(404).end();
    else {
      void checkHealth(options.checks).then((report) => {
        answer(report.ok ? 200 : 503, { ...report, counters: options.counters?.() });
      });
    }
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject).listen(options.port, options.host ?? "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : options.port,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

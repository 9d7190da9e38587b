// Sends calls over HTTP: address, key, time limit, retries, refusals. Does not know the operations.

import { ApiError, ConnectionError, toApiError } from "./errors.ts";
import { pause } from "./pause.ts";
import { retryPause, type Repeatable } from "./retry.ts";

export interface ClientOptions {
  /** The platform's address, without `/v1`. */
  readonly apiUrl: string;
  readonly apiKey?: string;
  /** The time limit of a call without its own, in milliseconds (default 60,000; 0: none). Not for uploads. */
  readonly timeoutMs?: number;
  /** How often a call is retried (default 4; 0: never). */
  readonly maxRetries?: number;
  readonly userAgent?: string;
}

export interface HttpRequest extends Repeatable {
  readonly method: string;
  /** Path and query, or another address, which does not get the key. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: NonNullable<RequestInit["body"]>;
  /** 0: no time limit except the signal's. Absent: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly isKeyless?: boolean;
}

export interface Transport {
  /** Sends a request and reads its reply, with retries. */
  send<Reply>(request: HttpRequest, read: (response: Response) => Promise<Reply>): Promise<Reply>;
  /** Sends a request once and returns its reply with the body unread. */
  open(request: HttpRequest): Promise<Response>;
}

const defaultTimeoutMs = 60_000;
const defaultMaxRetries = 4;

export function createTransport(client: ClientOptions): Transport {
  const base = client.apiUrl.replace(/\/+$/, "");
  const open = (request: HttpRequest): Promise<Response> => {
    const isOwn = request.url.startsWith("/");
    const hasKey = isOwn && client.apiKey !== undefined && request.isKeyless !== true;
    const headers = {
      ...(hasKey ? { authorization: `Bearer ${client.apiKey}` } : {}),
      ...(isOwn && client.userAgent !== undefined ? { "user-agent": client.userAgent } : {}),
      ...request.headers,
    };
    const timeoutMs = request.timeoutMs ?? client.timeoutMs ?? defaultTimeoutMs;
    return exchange({ ...request, url: isOwn ? base + request.url : request.url, headers, timeoutMs });
  };
  const maxRetries = client.maxRetries ?? defaultMaxRetries;
  return {
    open,
    async send<Reply>(request: HttpRequest, read: (response: Response) => Promise<Reply>): Promise<Reply> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await read(await open(request));
        } catch (error) {
          const pauseMs = retryPause(request, error, attempt, maxRetries);
          if (pauseMs === undefined) throw error;
          await pause(pauseMs, request.signal);
        }
      }
    },
  };
}

/** Runs one exchange. The time limit ends with the headers, because a followed log may take any time. */
async function exchange(request: HttpRequest): Promise<Response> {
  const { signal, timeoutMs = 0 } = request;
  const limit = new AbortController();
  let timedOut = false;
  const expire = (): void => {
    timedOut = true;
    limit.abort();
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(expire, timeoutMs);
  // Stays in force after the headers, because the caller's signal also ends the body.
  const either = joinSignals(limit, signal);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      // The platform never redirects, and the key must not be sent to another server.
      redirect: "error",
      signal: either,
      ...(request.body === undefined ? {} : { body: request.body, duplex: "half" as const }),
    });
    if (response.ok) return response;
    throw await toApiError(response);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    signal?.throwIfAborted();
    const { origin } = new URL(request.url);
    if (timedOut) throw new ConnectionError(`no answer from ${origin} in time`, { timedOut: true });
    throw new ConnectionError(`cannot reach ${origin}: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Unlike a listener, `AbortSignal.any` leaves nothing on a signal of many calls. It is missing in Node 18. */
function joinSignals(limit: AbortController, signal: AbortSignal | undefined): AbortSignal {
  if (signal === undefined) return limit.signal;
  if ("any" in AbortSignal) return AbortSignal.any([limit.signal, signal]);
  const onAbort = (): void => limit.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return limit.signal;
}

/**
 * fetch only says "fetch failed"; the reason is in its cause, and for a refused dual-stack connection in its causes.
 */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : error.message;
}

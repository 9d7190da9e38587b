// Sends calls over HTTP: address, key, time limit, retries, refusals. Does not know the operations.

import { ApiError, ConnectionError, toApiError } from "./errors.ts";
import { pause } from "./pause.ts";
import { retryPause, type Repeatable } from "./retry.ts";

export interface ClientOptions {
  /** The platform's address, without `/v1`. */
  readonly apiUrl: string;
  readonly apiKey?: string;
  /**
   * A session token, instead of a key; or a function that gets one, which is called again when the platform refuses it.
   */
  readonly token?: string | (() => string | Promise<string>);
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
  const bearers = createBearers(client);
  const openWith = (request: HttpRequest, bearer: string | undefined): Promise<Response> => {
    const isOwn = request.url.startsWith("/");
    const headers = {
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(isOwn && client.userAgent !== undefined ? { "user-agent": client.userAgent } : {}),
      ...request.headers,
    };
    const timeoutMs = request.timeoutMs ?? client.timeoutMs ?? defaultTimeoutMs;
    return exchange({ ...request, url: isOwn ? base + request.url : request.url, headers, timeoutMs });
  };
  const open = async (request: HttpRequest): Promise<Response> => {
    if (!request.url.startsWith("/") || request.isKeyless === true) return openWith(request, undefined);
    const bearer = await bearers.get();
    try {
      return await openWith(request, bearer);
    } catch (error) {
      // The refused call did nothing.
      const mayRenew = request.canResend && error instanceof ApiError && error.status === 401;
      const renewed = mayRenew ? await bearers.renew(bearer) : undefined;
      if (renewed === undefined) throw error;
      return openWith(request, renewed);
    }
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

/** What calls authenticate with. Calls at the same time share one call of the caller's function. */
function createBearers({ apiKey, token }: ClientOptions) {
  let current: Promise<string> | undefined;
  const getNew = (get: () => string | Promise<string>): Promise<string> => {
    const getting = Promise.resolve().then(get).then(checkToken);
    current = getting;
    // A failure is thrown to those who wait, and the next call tries again.
    getting.catch(() => {
      if (current === getting) current = undefined;
    });
    return getting;
  };
  return {
    async get(): Promise<string | undefined> {
      if (typeof token !== "function") return token ?? apiKey;
      return current ?? getNew(token);
    },
    /** Returns another token than the refused one, or undefined if the caller gave no function. */
    async renew(refused: string | undefined): Promise<string | undefined> {
      if (typeof token !== "function") return undefined;
      const before = current;
      const known = await before?.catch(() => undefined);
      if (current !== before && current !== undefined) return current;
      return known !== undefined && known !== refused ? known : getNew(token);
    },
  };
}

/** @throws for a text that cannot be a token, such as an error page of the caller's server. */
function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new Error("the function `token` returned no token; it must throw if it gets none");
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

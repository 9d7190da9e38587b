// Sends one call over HTTP: address, key, time limit, retries of reads, refusals. Knows the routes.

import {
  fillPath,
  type ParametersOf,
  type ReplyOf,
  type RequestOf,
  type Route,
  type RouteName,
  routes,
} from "@dari/contract";
import { ApiError, ConnectionError, isPassing, toApiError } from "./errors.ts";
import { pause } from "./pause.ts";

export interface ClientOptions {
  /** The platform's address, without `/v1`. */
  readonly apiUrl: string;
  readonly apiKey?: string;
  /** The time limit of a call without its own, in milliseconds (default: 60 000). Not for uploads. */
  readonly timeoutMs?: number;
  readonly userAgent?: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Makes a repeated creation return what the first one created. */
  readonly idempotencyKey?: string;
}

/** A list is sent as one parameter for each of its values. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Call<Name extends RouteName> {
  readonly path: ParametersOf<Name>;
  readonly query?: Query;
  readonly body?: RequestOf<Name>;
  readonly options?: CallOptions | undefined;
}

/** A body for fetch. */
export type HttpBody = NonNullable<RequestInit["body"]>;

export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** Absent: no time limit except the signal's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport {
  /** Calls a JSON route. */
  call<Name extends RouteName>(name: Name, call: Call<Name>): Promise<ReplyOf<Name>>;
  /** Calls a route whose reply is text, bytes or a stream. */
  open<Name extends RouteName>(name: Name, call: Call<Name>): Promise<Response>;
  /** Sends a body that is not JSON to a route. There is no time limit except the signal's. */
  upload<Name extends RouteName>(name: Name, body: UploadBody, options?: CallOptions): Promise<ReplyOf<Name>>;
  /** Sends to any address, without the key. */
  raw(request: RawRequest): Promise<Response>;
}

export interface UploadBody {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Query;
  readonly body: HttpBody;
  readonly headers?: Readonly<Record<string, string>>;
}

const defaultTimeoutMs = 60_000;
/** How many times a read is tried if the platform cannot be reached or answers 503. */
const readAttempts = 4;
const firstPauseMs = 100;
const longestPauseMs = 5_000;

export function createTransport(client: ClientOptions): Transport {
  const base = client.apiUrl.replace(/\/+$/, "");
  const headersOf = (options: CallOptions | undefined): Record<string, string> => ({
    ...(client.apiKey === undefined ? {} : { authorization: `Bearer ${client.apiKey}` }),
    ...(client.userAgent === undefined ? {} : { "user-agent": client.userAgent }),
    ...(options?.idempotencyKey === undefined ? {} : { "idempotency-key": options.idempotencyKey }),
  });

  async function open<Name extends RouteName>(name: Name, call: Call<Name>): Promise<Response> {
    const route: Route = routes[name];
    const json = call.body === undefined ? undefined : JSON.stringify(call.body);
    const request: RawRequest = {
      method: route.method,
      url: `${base}${fillPath(route.path, call.path)}${renderQuery(call.query ?? {})}`,
      headers: { ...headersOf(call.options), ...(json === undefined ? {} : { "content-type": "application/json" }) },
      ...(json === undefined ? {} : { body: json }),
      timeoutMs: call.options?.timeoutMs ?? client.timeoutMs ?? defaultTimeoutMs,
      signal: call.options?.signal,
    };
    return route.method === "GET" ? sendRepeatedly(request) : send(request);
  }

  return {
    open,
    async call<Name extends RouteName>(name: Name, call: Call<Name>): Promise<ReplyOf<Name>> {
      return readJson(await open(name, call));
    },
    async upload<Name extends RouteName>(name: Name, sent: UploadBody, options?: CallOptions) {
      const route: Route = routes[name];
      const { body, path = {}, query = {} } = sent;
      const headers = { ...headersOf(options), ...sent.headers };
      const url = `${base}${fillPath(route.path, path)}${renderQuery(query)}`;
      return readJson<ReplyOf<Name>>(await send({ method: route.method, url, headers, body, signal: options?.signal }));
    },
    raw: send,
  };
}

async function sendRepeatedly(request: RawRequest): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(request);
    } catch (error) {
      if (attempt === readAttempts || !mayPass(error)) throw error;
      const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      await pause(Math.min(longestPauseMs, Math.max(asked, firstPauseMs * 2 ** attempt)), request.signal);
    }
  }
}

/** True for temporary errors. A time limit was the caller's choice, so it is not extended by a retry. */
function mayPass(error: unknown): boolean {
  if (error instanceof ConnectionError) return !error.timedOut;
  return error instanceof ApiError && isPassing(error);
}

/** One exchange. The time limit ends with the headers, because a followed log may take any time. */
async function send(request: RawRequest): Promise<Response> {
  const limit = new AbortController();
  const timer = request.timeoutMs === undefined ? undefined : setTimeout(() => limit.abort(), request.timeoutMs);
  const signals = request.signal === undefined ? [limit.signal] : [limit.signal, request.signal];
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      // The platform never redirects, and the key must not be sent to another server.
      redirect: "error",
      signal: AbortSignal.any(signals),
      ...(request.body === undefined ? {} : { body: request.body, duplex: "half" as const }),
    });
    if (response.ok) return response;
    throw await toApiError(response);
  } catch (error) {
    if (error instanceof ApiError || request.signal?.aborted === true) throw error;
    const { origin } = new URL(request.url);
    if (limit.signal.aborted) throw new ConnectionError(`no answer from ${origin} in time`, { timedOut: true });
    throw new ConnectionError(`cannot reach ${origin}: ${reasonOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
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

async function readJson<Reply>(response: Response): Promise<Reply> {
  try {
    return (await response.json()) as Reply;
  } catch (error) {
    throw new ConnectionError("the reply broke off or is not JSON", { cause: error });
  }
}

function renderQuery(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  if (pairs.length === 0) return "";
  const texts = pairs.flatMap(([name, value]): [string, string][] =>
    Array.isArray(value)
      ? value.map((one: string): [string, string] => [name, one])
      : [[name, value === true ? "1" : String(value)]],
  );
  if (texts.length === 0) return "";
  return `?${new URLSearchParams(texts).toString()}`;
}

// The two ways in which a call can fail: the platform refused it, or could not be reached.

import type { Error as ErrorBody } from "./generated/models.ts";

/** The platform refused a call. Programs use `code`; `detail` is for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** `unknown` if the reply did not come from the platform, for example from a proxy in between. */
  readonly code: ErrorBody["code"] | "unknown";
  readonly detail: string;
  /** All problems of a body or manifest; empty for other refusals. */
  readonly errors: NonNullable<ErrorBody["errors"]>;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, body: Partial<ErrorBody>, headers: Headers) {
    const detail = body.detail ?? `the platform answered ${status}`;
    super(detail);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.detail = detail;
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? headers.get("x-request-id") ?? undefined;
    this.retryAfterSeconds = readRetryAfter(headers);
  }
}

/** Statuses of a proxy while the platform behind it restarts or is busy. The platform has not read the call. */
const inItsPlace: readonly number[] = [408, 502, 503, 504];

/** Returns whether a refusal is temporary, so that a read can be retried. */
export function isPassing({ code, status }: ApiError): boolean {
  return code === "unavailable" || (code === "unknown" && inItsPlace.includes(status));
}

/** The platform was not reached, or did not answer in time. The call may or may not have had an effect. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly timedOut: boolean;

  constructor(message: string, options: { cause?: unknown; timedOut?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.timedOut = options.timedOut ?? false;
  }
}

/** Parses a refusal. A body of another format becomes the detail, shortened to a readable length. */
export async function toApiError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  return new ApiError(response.status, parseErrorBody(text), response.headers);
}

function parseErrorBody(text: string): Partial<ErrorBody> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "detail" in body && typeof body.detail === "string") {
      return body as Partial<ErrorBody>;
    }
  } catch {
    // Not JSON: use the text.
  }
  const excerpt = text.trim().slice(0, 500);
  return excerpt === "" ? {} : { detail: excerpt };
}

function readRetryAfter(headers: Headers): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

// The two ways a call can fail: the platform refused it, or it was not reached. Knows no route.

import type { ErrorBody } from "@dari/contract";
import type { AppErrorCode, FieldIssue } from "@dari/domain";

/** The platform refused a call. Decide by `code`; `detail` is for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** `unknown` when the reply did not come from the platform, for example from a proxy in between. */
  readonly code: AppErrorCode | "unknown";
  readonly detail: string;
  /** Every problem of a body or manifest; empty for other refusals. */
  readonly errors: readonly FieldIssue[];
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

/** Statuses of a proxy in front while the platform restarts or is busy. The platform has not read the call. */
const inItsPlace: readonly number[] = [408, 502, 503, 504];

/** Whether a refusal passes by itself, so that a read may be sent again. */
export function isPassing({ code, status }: ApiError): boolean {
  return code === "unavailable" || (code === "unknown" && inItsPlace.includes(status));
}

/** The platform was not reached, or did not answer in time. Whether it did what was asked is unknown. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly timedOut: boolean;

  constructor(message: string, options: { cause?: unknown; timedOut?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.timedOut = options.timedOut ?? false;
  }
}

/** Reads a refusal. Anything but an error body becomes a detail of its own, cut to a readable length. */
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
    // Not JSON: falls through to the text itself.
  }
  const excerpt = text.trim().slice(0, 500);
  return excerpt === "" ? {} : { detail: excerpt };
}

function readRetryAfter(headers: Headers): number | undefined {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

// Why a call was refused. Independent of the transport: the API maps a code to HTTP (packages/contract has the table).

export const appErrorCodes = [
  "unauthenticated",
  "forbidden",
  "not_found",
  "invalid",
  "conflict",
  "agent_name_taken",
  "precondition_failed",
  "session_busy",
  "idempotency_key_reused",
  "too_large",
  "limit_exceeded",
  "quota_exceeded",
  "unavailable",
  "snapshot_damaged",
  "internal",
] as const;

export type AppErrorCode = (typeof appErrorCodes)[number];

export interface FieldIssue {
  readonly path: string;
  readonly message: string;
}

/**
 * A refusal that a caller may see. `detail` is public; `cause` is not and only goes to the log. `issues` lists all
 * problems of a body or manifest.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: AppErrorCode;
  readonly detail: string;
  readonly issues: readonly FieldIssue[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: AppErrorCode,
    detail: string,
    options: { issues?: readonly FieldIssue[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.issues = options.issues ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

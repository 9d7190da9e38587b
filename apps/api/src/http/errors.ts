// Translates every error into a reply. Operations and routes throw; nothing else writes an error.

import { errorKinds, isOpenAiPath, openAiStatusOf, renderError, renderOpenAiError } from "@dari/contract";
import { isDatabaseUnreachable, isDatabaseErrorTransient, type Control } from "@dari/control/context";
import { toQuotaError } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import { SnapshotDamagedError } from "@dari/workspace";
import type { NextFunction, Request, Response } from "express";
import { pathForLog } from "./path-for-log.ts";
import { requestIdOf } from "./request-id.ts";
import { countRefusedCall } from "./limit-unauthenticated.ts";

/** HTTP requires this status if a known path does not have the method. The code stays `not_found`. */
const methodNotAllowed = 405;
/** When to send a request again that got a 429 or a 503, if the error does not say it. */
const retryAfterSecondsDefault = 2;

/** Notes that the call has created its resource. Only with a key can a client repeat it without creating another. */
export function markCreated(response: Response, idempotencyKey: string | undefined): void {
  response.locals["createsAgain"] = idempotencyKey === undefined;
}

export function refuseUnknownRoute(request: Request, response: Response): void {
  // A person who opens the platform's address in a browser gets this reply, so it names the pages for people.
  const hint = request.path === "/" ? "; the console is at /console, the API reference at /docs" : "";
  sendError(response, new AppError("not_found", `no such route: ${request.method} ${request.path}${hint}`));
}

export function refuseUnknownMethod(allowed: readonly string[]) {
  return (request: Request, response: Response): void => {
    const methods = allowed.join(", ");
    const error = new AppError("not_found", `this path does not allow ${request.method}; use ${methods}`);
    response.set("allow", methods);
    sendError(response, error, methodNotAllowed);
  };
}

/** Express's error handler, recognized by its four parameters. */
export function createErrorHandler(control: Control) {
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const found = toAppError(error);
    // Counts the call. An address over its limit gets a 429 instead of the 401.
    const known = found.code === "unauthenticated" ? (countRefusedCall(response) ?? found) : found;
    const requestId = requestIdOf(response);
    if (response.destroyed) {
      control.log.debug({ err: error, request_id: requestId }, "client went away");
      return;
    }
    logError(control, error, known, response);
    // Part of the stream is already sent. Only a closed connection tells the client that it is incomplete.
    if (response.headersSent) return void response.destroy();
    // Read and drop the rest of the body: the client reads no reply before it has sent everything.
    request.resume();
    sendError(response, known, known instanceof RangeNotSatisfiableError ? 416 : undefined);
  };
}

/** Logs what operators need to know of a refused call. `known` is what the caller gets of `error`. */
export function logError(control: Control, error: unknown, known: AppError, response: Response): void {
  const request = response.req;
  const requestId = requestIdOf(response);
  if (known.code === "internal") {
    const { method } = request;
    control.log.error({ err: error, request_id: requestId, method, path: pathForLog(request) }, "request failed");
  } else if (known.cause instanceof SnapshotDamagedError) {
    const { objectKey, problem } = known.cause;
    const org = response.locals["organizationId"] as string | undefined;
    control.log.error({ org, object_key: objectKey, problem, request_id: requestId }, "snapshot.damaged");
  } else if (known.code === "unavailable") {
    control.log.warn({ err: error, request_id: requestId, path: pathForLog(request) }, "request refused: unavailable");
  }
}

/** A range that contains no byte of the content. */
export class RangeNotSatisfiableError extends AppError {
  constructor(sizeBytes: number) {
    super(
      "invalid",
      `the range is outside the content, which has ${sizeBytes} bytes; request a range within it, or omit Range`,
    );
  }
}

function sendError(response: Response, error: AppError, given?: number): void {
  const isOpenAi = isOpenAiPath(response.req.path);
  const status = given ?? (isOpenAi ? openAiStatusOf(error.code) : errorKinds[error.code].status);
  if (status === 429 || status === 503)
    response.set("retry-after", String(error.retryAfterSeconds ?? retryAfterSecondsDefault));
  if (status === 401) {
    const challenge = response.locals["challenge"] as string | undefined;
    response.set("www-authenticate", challenge ?? "Bearer");
  }
  // The handler may have failed after it set this header. A browser would then save the error as the requested file.
  response.removeHeader("content-disposition");
  const body = renderError({ ...pick(error), requestId: requestIdOf(response) });
  if (!isOpenAi) return void response.status(status).json(body);
  // Otherwise OpenAI's clients repeat every call that gets a 409, and after an error a call that has sent its message.
  const isRepeatable = status !== 409 || error.code === "session_busy";
  if (!isRepeatable || response.locals["createsAgain"] === true) response.set("x-should-retry", "false");
  response.status(status).json(renderOpenAiError(body));
}

function pick(error: AppError): Pick<AppError, "code" | "detail" | "issues"> {
  return { code: error.code, detail: error.detail, issues: error.issues };
}

/** Returns what a caller may know of an error. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDatabaseErrorTransient(error)) {
    const state = isDatabaseUnreachable(error) ? "cannot be reached" : "could not complete the request";
    return new AppError("unavailable", `the database ${state}; retry in ${retryAfterSecondsDefault} s`, {
      cause: error,
    });
  }
  if (error instanceof SnapshotDamagedError) {
    const detail =
      "the stored data of these files is damaged or missing, so nothing was sent; " +
      "read another file, roll the session back, or publish the bundle again";
    return new AppError("snapshot_damaged", detail, { cause: error });
  }
  const quota = toQuotaError(error);
  if (quota !== undefined) return quota;
  return (
    fromHttpError(error) ??
    new AppError("internal", "internal error; retry, and report the request_id if it fails again", { cause: error })
  );
}

/** Translates the errors of Express and its body parser. Both have a status, but only the parser's have a type. */
function fromHttpError(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  const type = "type" in error ? error.type : undefined;
  if (type === "entity.too.large") {
    const limit = "limit" in error ? ` of ${String(error.limit)} bytes` : "";
    return new AppError("too_large", `the body exceeds the limit${limit}`, { cause: error });
  }
  if (type === "entity.parse.failed") return invalidBody(`the body is not valid JSON: ${error.message}`, error);
  if (error.status < 400 || error.status >= 500) return undefined;
  const detail = `the request cannot be read: ${error.message}`;
  return type === undefined ? new AppError("invalid", detail, { cause: error }) : invalidBody(detail, error);
}

function invalidBody(detail: string, cause: Error): AppError {
  return new AppError("invalid", detail, { issues: [{ path: "body", message: detail }], cause });
}

// Translates every error into a reply. Operations and routes throw; nothing else writes an error.

import { errorKinds, renderError } from "@dari/contract";
import { isDatabaseAway, isDatabasePassing, type Control } from "@dari/control/context";
import { quotaRefusal } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import { SnapshotDamagedError } from "@dari/workspace";
import type { NextFunction, Request, Response } from "express";
import multer from "multer";
import { requestIdOf } from "./request-id.ts";
import { unauthenticatedRefusal } from "./limit-unauthenticated.ts";

/** HTTP requires this status if a known path does not have the method. The code stays `not_found`. */
const methodNotAllowed = 405;

export function answerUnknownRoute(request: Request, response: Response): void {
  // The page that a browser gets first when it opens the platform's address.
  const hint = request.path === "/" ? "; the console is at /console, the API reference at /docs" : "";
  sendError(response, new AppError("not_found", `no such route: ${request.method} ${request.path}${hint}`));
}

export function answerUnknownMethod(allowed: readonly string[]) {
  return (request: Request, response: Response): void => {
    const methods = allowed.join(", ");
    const error = new AppError("not_found", `this path does not allow ${request.method}; use ${methods}`);
    response.set("allow", methods);
    sendError(response, error, methodNotAllowed);
  };
}

/** Express's error handler, recognized by its four parameters. */
export function answerErrors(control: Control) {
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const found = toAppError(error);
    const known = found.code === "unauthenticated" ? (unauthenticatedRefusal(response) ?? found) : found;
    const requestId = requestIdOf(response);
    if (response.destroyed) {
      control.log.debug({ err: error, request_id: requestId }, "client went away");
      return;
    }
    if (known.code === "internal") {
      const { method, path } = request;
      control.log.error({ err: error, request_id: requestId, method, path }, "request failed");
    } else if (known.cause instanceof SnapshotDamagedError) {
      const { objectKey, problem } = known.cause;
      const org = response.locals["organizationId"] as string | undefined;
      control.log.error({ org, object_key: objectKey, problem, request_id: requestId }, "snapshot.damaged");
    } else if (known.code === "unavailable") {
      control.log.warn({ err: error, request_id: requestId, path: request.path }, "request refused: unavailable");
    }
    // Part of the stream is already sent. Only a closed connection tells the client that it is incomplete.
    if (response.headersSent) return void response.destroy();
    // Read and drop the rest of the body: the client reads no reply before it has sent everything.
    request.resume();
    sendError(response, known, known instanceof RangeRefused ? 416 : undefined);
  };
}

/** A range that contains no byte of the content. */
export class RangeRefused extends AppError {
  constructor(sizeBytes: number) {
    super("invalid", `the range is outside the content, which has ${sizeBytes} bytes`);
  }
}

function sendError(response: Response, error: AppError, status: number = errorKinds[error.code].status): void {
  if (status === 429 || status === 503) response.set("retry-after", String(error.retryAfterSeconds ?? 2));
  if (status === 401) response.set("www-authenticate", "Bearer");
  response.removeHeader("content-disposition");
  response.status(status).json(renderError({ ...pick(error), requestId: requestIdOf(response) }));
}

function pick(error: AppError): Pick<AppError, "code" | "detail" | "issues"> {
  return { code: error.code, detail: error.detail, issues: error.issues };
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof multer.MulterError) return fromMulter(error);
  if (isDatabasePassing(error)) {
    const state = isDatabaseAway(error) ? "cannot be reached" : "is overloaded";
    return new AppError("unavailable", `the database ${state}; retry in a few seconds`, { cause: error });
  }
  if (error instanceof SnapshotDamagedError) {
    const detail = "the stored data of these files is damaged or missing, so nothing was sent";
    return new AppError("snapshot_damaged", detail, { cause: error });
  }
  const quota = quotaRefusal(error);
  if (quota !== undefined) return quota;
  return (
    fromHttpError(error) ??
    new AppError("internal", "internal error; retry, and report the request_id if it fails again", { cause: error })
  );
}

function fromMulter(error: multer.MulterError): AppError {
  if (error.code === "LIMIT_FILE_SIZE")
    return new AppError("too_large", "the file exceeds its size limit", { cause: error });
  const message = "expected a multipart body with exactly one part, a file named 'file'";
  return new AppError("invalid", message, { issues: [{ path: "file", message }], cause: error });
}

/** Errors of Express and its body parser have a status; those of the parser also have a type. */
function fromHttpError(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  const type = "type" in error ? error.type : undefined;
  if (type === "entity.too.large") {
    const limit = "limit" in error ? ` of ${String(error.limit)} bytes` : "";
    return new AppError("too_large", `the body exceeds the limit${limit}`, { cause: error });
  }
  if (type === "entity.parse.failed") return bodyRefused(`the body is not valid JSON: ${error.message}`, error);
  if (error.status < 400 || error.status >= 500) return undefined;
  return bodyRefused(`the request cannot be read: ${error.message}`, error);
}

function bodyRefused(detail: string, cause: Error): AppError {
  return new AppError("invalid", detail, { issues: [{ path: "body", message: detail }], cause });
}

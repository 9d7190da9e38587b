// The queue board: shows what waits in PostgreSQL and the queue's jobs, and accepts retry and promote. The worker that
// takes the job carries these out, after asking PostgreSQL. All other actions are disabled.

import type { Control } from "@dari/control/context";
import { AppError, isId } from "@dari/domain";
import type { TurnBoard } from "@dari/queue";
import type { Express, Request } from "express";
import { refuseUnknownMethod } from "../http/errors.ts";
import {
  queueSilentMessage,
  viewerOrganization,
  waitsForSlotMessage,
  withBoardTimeout,
  type BoardQueue,
} from "./board-call.ts";
import { authenticateOperator, setPageSecurityHeaders } from "./authenticate-operator.ts";

const basePath = "/ops/queues";
/** The console's sign-in page, which leads back to the board. */
export const boardSignIn = `/console/sign-in?return_to=${encodeURIComponent(basePath)}`;

/** The allowed actions: retry all failed jobs, promote all delayed ones, or one of them. */
const actionPaths: readonly RegExp[] = [
  /^\/api\/queues\/[^/]+\/retry\/failed$/,
  /^\/api\/queues\/[^/]+\/promote$/,
  /^\/api\/queues\/[^/]+\/[^/]+\/promote$/,
];
const retryOne = /^\/api\/queues\/[^/]+\/([^/]+)\/retry$/;

export function mountBoard(app: Express, control: Control, queue: BoardQueue | undefined): void {
  app.use(basePath, async (request, response, next) => {
    response.locals["route"] = basePath;
    setPageSecurityHeaders(response);
    const actor = await authenticateOperator(control, request).catch((error: unknown) => {
      if (!isVisit(request) || !(error instanceof AppError) || error.code !== "unauthenticated") throw error;
    });
    if (actor === undefined) return response.redirect(303, boardSignIn);
    response.locals["organizationId"] = actor.organizationId;
    if (queue === undefined) throw new AppError("not_found", "no queue is configured; workers pull from the database");
    // BullMQ waits for a Redis that it has never reached. A person gets an error instead.
    if (request.path.startsWith("/api/") && !queue.available) throw new AppError("unavailable", queueSilentMessage);
    const show = (): void => viewerOrganization.run(actor.organizationId, next);
    if (request.method === "GET" || request.method === "HEAD") return show();
    const isAllowed = request.method === "PUT" && (await isWish(queue.board, request.path));
    if (!isAllowed) return refuseUnknownMethod(["GET", "HEAD"])(request, response);
    control.log.info({ org: actor.organizationId, key_id: actor.keyId, wish: request.path }, "ops.board_wish");
    show();
  });
  if (queue === undefined) return;
  let board: Promise<Express> | undefined;
  app.use(basePath, async (request, response, next) => {
    board ??= import("./serve-board.ts").then(
      ({ serveBoard }) => serveBoard(control, queue, basePath),
      (error: unknown) => {
        // The next call tries again.
        board = undefined;
        throw error;
      },
    );
    (await board)(request, response, next);
  });
}

/**
 * @throws AppError `conflict` for a turn that waits for a slot, and for the retry of a job that has not failed: a
 *   finished or running turn is not started again.
 */
async function isWish(board: TurnBoard, path: string): Promise<boolean> {
  const promoted = decode(/\/([^/]+)\/promote$/.exec(path)?.[1] ?? "");
  if (isId("message", promoted)) throw new AppError("conflict", waitsForSlotMessage);
  if (actionPaths.some((pattern) => pattern.test(path))) return true;
  const jobId = retryOne.exec(path)?.[1];
  if (jobId === undefined) return false;
  const name = decode(jobId);
  const state = await withBoardTimeout(() => board.getJobState(name)).catch(blameQueue);
  if (state !== "failed") throw new AppError("conflict", `the job is ${state}; only failed jobs can be retried`);
  return true;
}

/** Returns whether a person opened a page, as opposed to a call by a program. */
function isVisit(request: Request): boolean {
  return (
    request.method === "GET" && request.get("authorization") === undefined && request.accepts("json", "html") === "html"
  );
}

/** Redis can be unavailable at any time. */
function blameQueue(error: unknown): never {
  throw new AppError("unavailable", queueSilentMessage, { cause: error });
}

/** @throws AppError `not_found` for text that is not percent-encoded. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new AppError("not_found", "job not found", { cause: error });
  }
}

// The queue board: shows the jobs, and passes on two wishes, retry and promote. What comes of them is for the worker
// that takes the job: it asks PostgreSQL. Everything else that a board can do to a queue is off.

import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { errorKinds } from "@dari/contract";
import type { Control } from "@dari/control";
import { AppError } from "@dari/domain";
import type { TurnBoard, TurnQueue } from "@dari/queue";
import type { Express, Request } from "express";
import { answerUnknownMethod } from "../http/errors.ts";
import { operatorOf, protectPage } from "./door.ts";

const basePath = "/ops/queues";

/** What may be asked for besides looking: every failed job again, all delayed ones now, or one of them. */
const wishes: readonly RegExp[] = [
  /^\/api\/queues\/[^/]+\/retry\/failed$/,
  /^\/api\/queues\/[^/]+\/promote$/,
  /^\/api\/queues\/[^/]+\/[^/]+\/promote$/,
];
const retryOne = /^\/api\/queues\/[^/]+\/([^/]+)\/retry$/;

export type BoardQueue = Pick<TurnQueue, "available" | "board">;

export function mountBoard(app: Express, control: Control, queue: BoardQueue | undefined): void {
  app.use(basePath, async (request, response, next) => {
    response.locals["route"] = basePath;
    protectPage(response);
    const actor = await operatorOf(control, request).catch((error: unknown) => {
      if (!isVisit(request) || !(error instanceof AppError) || error.code !== "unauthenticated") throw error;
    });
    if (actor === undefined) return response.redirect(303, "/ops/sign-in");
    response.locals["organizationId"] = actor.organizationId;
    if (queue === undefined) throw new AppError("not_found", "no queue is configured: workers pull from the database");
    // BullMQ waits for a Redis that it has never reached; whoever looks does not.
    if (request.path.startsWith("/api/") && !queue.available) throw new AppError("unavailable", silent);
    if (request.method === "GET" || request.method === "HEAD") return next();
    const isAllowed = request.method === "PUT" && (await isWish(queue.board, request.path));
    if (!isAllowed) return answerUnknownMethod(["GET", "HEAD"])(request, response);
    control.log.info({ org: actor.organizationId, key_id: actor.keyId, wish: request.path }, "ops.board_wish");
    next();
  });
  if (queue !== undefined) app.use(basePath, serveBoard(queue.board));
}

/** @throws AppError `conflict` for a job that has not failed: a turn that is over or runs is not started again. */
async function isWish(board: TurnBoard, path: string): Promise<boolean> {
  if (wishes.some((pattern) => pattern.test(path))) return true;
  const jobId = retryOne.exec(path)?.[1];
  if (jobId === undefined) return false;
  const name = decode(jobId);
  const state = await inTime(() => board.getJobState(name)).catch(blameQueue);
  if (state !== "failed") throw new AppError("conflict", `only failed jobs are retried; this one is ${state}`);
  return true;
}

/** A person who opens a page, not a program. */
function isVisit(request: Request): boolean {
  return (
    request.method === "GET" && request.get("authorization") === undefined && request.accepts("json", "html") === "html"
  );
}

function serveBoard(board: TurnBoard): Express {
  const server = new BoardServer().setBasePath(basePath);
  createBullBoard({
    queues: [new TurnBoardAdapter(board, { description: "One job is one turn" })],
    serverAdapter: server,
    options: {
      uiConfig: {
        boardTitle: "Dari",
        hideRedisDetails: true,
        hideDocsLink: true,
        miscLinks: [{ text: "Sign out", url: "/ops/sign-in" }],
      },
    },
  });
  const app = server.getRouter() as Express;
  return app.disable("x-powered-by").disable("etag");
}

/**
 * No turn repeats. To find that out BullMQ would open a connection of its own, and would never again open one that
 * failed because Redis was silent just then.
 */
class TurnBoardAdapter extends BullMQAdapter {
  override getJobSchedulers(): Promise<[]> {
    return Promise.resolve([]);
  }

  override getJobSchedulersCount(): Promise<number> {
    return Promise.resolve(0);
  }
}

type ApiRoute = Parameters<ExpressAdapter["setApiRoutes"]>[0][number];

/** The board's own handler tells what went wrong inside; ours says what there is to say. */
class BoardServer extends ExpressAdapter {
  override setApiRoutes(given: ApiRoute[]): this {
    const bounded = (route: ApiRoute): ApiRoute => ({
      ...route,
      handler: (request) => inTime(async () => route.handler(request)),
    });
    super.setApiRoutes(given.map(bounded));
    return this;
  }

  override setErrorHandler(): this {
    // The board's types know its own statuses only.
    const status = errorKinds.unavailable.status as number as 500;
    return super.setErrorHandler(() => ({ status, body: { error: silent, message: silent, details: "" } }));
  }
}

const silent = "the queue does not answer";

/** For all that one call of the board asks Redis, each of which has a bound of its own. Milliseconds. */
const boardMs = 5_000;

/** Rejects when `ask` has not ended by then; what it asked for may still come to pass. */
async function inTime<T>(ask: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(silent)), boardMs);
  try {
    return await Promise.race([ask(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Redis may be away at any time. */
function blameQueue(error: unknown): never {
  throw new AppError("unavailable", silent, { cause: error });
}

/** @throws AppError `not_found` where it is no encoding of anything. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new AppError("not_found", "there is no such job", { cause: error });
  }
}

// Bull Board with the platform's adapter. Loaded at the first call of the board: it takes 10 MB of memory.

import { createBullBoard } from "@bull-board/api";
import type { Control } from "@dari/control/context";
import type { Express } from "express";
import { TurnBoardAdapter } from "./board-adapter.ts";
import { BoardServer } from "./board-server.ts";
import type { BoardQueue } from "./board-call.ts";

/** `basePath`: where the returned application is mounted. */
export function serveBoard(control: Control, queue: BoardQueue, basePath: string): Express {
  const server = new BoardServer().setBasePath(basePath) as BoardServer;
  createBullBoard({
    queues: [new TurnBoardAdapter(control, queue)],
    serverAdapter: server,
    options: {
      uiConfig: {
        boardTitle: "Dari",
        hideRedisDetails: true,
        hideDocsLink: true,
        miscLinks: [
          { text: "Console", url: "/console" },
          { text: "Fleet", url: "/console/fleet" },
        ],
      },
      handlerHooks: { after: ({ route, request }, reply) => (route === listRoute ? asShown(request, reply) : reply) },
    },
  });
  return server.getRouter().disable("x-powered-by").disable("etag");
}

const listRoute = "/api/queues";

/** Only failed and delayed jobs have actions. Other tabs show no buttons. */
function asShown(request: { readonly query: Record<string, unknown> }, reply: BoardReply): BoardReply {
  const status = request.query["status"];
  if (status === "failed" || status === "delayed" || typeof reply.body === "string") return reply;
  const { queues = [] } = reply.body as { readonly queues?: readonly object[] };
  return { ...reply, body: { queues: queues.map((queue) => ({ ...queue, readOnlyMode: true })) } };
}

type BoardHooks = NonNullable<NonNullable<Parameters<typeof createBullBoard>[0]["options"]>["handlerHooks"]>;
type BoardReply = Parameters<NonNullable<BoardHooks["after"]>>[1];

// Serves the board's page and API. The page loads nothing from other hosts and offers only allowed actions.

import { ExpressAdapter } from "@bull-board/express";
import { errorKinds } from "@dari/contract";
import type { Express, NextFunction, Request, Response } from "express";
import { queueSilentMessage, withBoardTimeout } from "./board-call.ts";

type ApiRoute = Parameters<ExpressAdapter["setApiRoutes"]>[0][number];
type EntryRoute = Parameters<ExpressAdapter["setEntryRoute"]>[0];

export class BoardServer extends ExpressAdapter {
  override setApiRoutes(given: ApiRoute[]): this {
    const bounded = (route: ApiRoute): ApiRoute => ({
      ...route,
      handler: (request) => withBoardTimeout(async () => route.handler(request)),
    });
    super.setApiRoutes(given.map(bounded));
    return this;
  }

  /** The board's default handler shows internals of an error. */
  override setErrorHandler(): this {
    // The board's types allow only its own statuses.
    const status = errorKinds.unavailable.status as number as 500;
    return super.setErrorHandler(() => ({
      status,
      body: { error: queueSilentMessage, message: queueSilentMessage, details: "" },
    }));
  }

  override setEntryRoute({ route, handler }: EntryRoute): this {
    this.app.get(route, (_request: Request, response: Response, next: NextFunction) => {
      const { name, params } = handler({ basePath: this.basePath, uiConfig: this.uiConfig });
      this.app.render(name, params, (error: Error | null, html: string) => {
        if (error !== null) return next(error);
        response.type("html").send(adaptPage(html));
      });
    });
    return this;
  }

  override getRouter(): Express {
    return this.app;
  }
}

/**
 * A failed job's first button is Retry, a delayed job's is Promote. Both are allowed; the other buttons answer 405 and
 * are hidden. On every other tab the queue is shown as read-only, without buttons.
 */
const style = `<style>
ul[class*="jobActions-"] > li ~ li, ul[class*="queueActions-"] > li ~ li,
section button[aria-haspopup="menu"] { display: none !important; }
</style>`;

/** Removes the fonts of another host and hides the buttons that answer 405. */
function adaptPage(html: string): string {
  return html.replace(/<link href="https:[^>]*>/g, "").replace("</head>", () => `${style}</head>`);
}

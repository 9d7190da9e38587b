// Reads and checks JSON bodies. Any content type is taken for JSON: routes that take something else do not come here.

import { validate, type Route } from "@dari/contract";
import { AppError, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";

const parseJson = express.json({ limit: limits.jsonBodyBytes, strict: false, type: () => true });

/**
 * The validated body; an empty one counts as `{}`, whatever its content type says.
 * @throws AppError `invalid` with every problem; what the parser throws is translated in errors.ts.
 */
export async function readJsonBody(route: Route, request: Request, response: Response): Promise<unknown> {
  if (route.request === undefined) return undefined;
  await new Promise<void>((resolve, reject) => {
    parseJson(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  const body: unknown = request.body ?? {};
  const issues = validate(route.request, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is not valid", { issues });
  return body;
}

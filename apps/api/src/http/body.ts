// Reads a call's body: JSON, which any content type is taken for, or an uploaded file. Leaves raw bytes to the handler.

import { validate, type Route } from "@dari/contract";
import type { Actor, Control } from "@dari/control";
import { AppError, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { receiveFile } from "./upload.ts";

const parseJson = express.json({ limit: limits.jsonBodyBytes, strict: false, type: () => true });

export interface Receiving {
  readonly control: Control;
  readonly actor: Actor;
  readonly fileBytes: number;
}

/** Undefined where the route has no body, or reads it itself. @throws AppError as `readJsonBody` and `receiveFile`. */
export async function readBody(
  route: Route,
  receiving: Receiving,
  request: Request,
  response: Response,
): Promise<unknown> {
  if (route.requestContent === "multipart/form-data") return receiveFile(receiving, request, response);
  return route.request === undefined ? undefined : readJsonBody(route.request, request, response);
}

/**
 * The validated body; an empty one counts as `{}`, whatever its content type says.
 * @throws AppError `invalid` with every problem; what the parser throws is translated in errors.ts.
 */
async function readJsonBody(
  schema: NonNullable<Route["request"]>,
  request: Request,
  response: Response,
): Promise<unknown> {
  await new Promise<void>((resolve, reject) => {
    parseJson(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  const body: unknown = request.body ?? {};
  const issues = validate(schema, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is not valid", { issues });
  return body;
}

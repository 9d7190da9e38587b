// Reads a call's body: JSON, which any content type is taken for, an uploaded file, or an exported session. Leaves
// other bytes to the handler.

import { validate, type Route } from "@dari/contract";
import { receiveExport, type Actor, type Control, type ReceivedExport } from "@dari/control";
import { agentIdFromWire, AppError, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { leaveOpen } from "./leave-open.ts";
import { envelopeBytes, receiveFile } from "./upload.ts";

const parseJson = express.json({ limit: limits.jsonBodyBytes, strict: false, type: () => true });

export interface Receiving {
  readonly control: Control;
  readonly actor: Actor;
  readonly fileBytes: number;
  readonly exportBytes: number;
}

/**
 * Undefined where the route has no body, or reads it itself. Of a call whose query is valid.
 * @throws AppError as `readJsonBody`, `receiveFile` and `receiveExport`.
 */
export async function readBody(
  route: Route,
  receiving: Receiving,
  request: Request,
  response: Response,
): Promise<unknown> {
  if (route.requestContent === "multipart/form-data") return receiveFile(receiving, request, response);
  if (route.requestContent === "application/gzip") return readExport(receiving, request);
  return route.request === undefined ? undefined : readJsonBody(route.request, request, response);
}

/** Bytes of a body that is not JSON, at most. */
export function mostBytes(route: Route, { fileBytes, exportBytes }: Receiving): number {
  return route.requestContent === "application/gzip" ? exportBytes : fileBytes + envelopeBytes;
}

function readExport({ control, actor, exportBytes: maxBytes }: Receiving, request: Request): Promise<ReceivedExport> {
  // Refused before the bytes are sent where the client says how many there will be.
  if (Number(request.get("content-length") ?? 0) > maxBytes) {
    throw new AppError("too_large", `an exported session has at most ${maxBytes} bytes`);
  }
  const agentId = request.query["agent_id"] as string | undefined;
  const upload = { agentId: agentId === undefined ? undefined : agentIdFromWire(agentId), maxBytes };
  return receiveExport(control, actor, { ...upload, body: leaveOpen(request) });
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
  const sent: unknown = request.body;
  const body = sent === undefined ? {} : sent;
  const issues = validate(schema, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is not valid", { issues });
  return body;
}

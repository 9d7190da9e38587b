// Reads a call's body: JSON, which any content type is taken for, an uploaded file, or an exported session. Leaves
// other bytes to the handler.

import { validate, type Route } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { receiveExport, type ReceivedExport } from "@dari/control/outbound";
import { agentIdFromWire, AppError, invalidField, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { leaveOpen } from "./leave-open.ts";
import { envelopeBytes, receiveFile } from "./upload.ts";

const parserOf = (bytes: number) => express.json({ limit: bytes, strict: false, type: () => true });
const parseJson = parserOf(limits.jsonBodyBytes);
/** A token, a code or a name: nobody knows yet who sends it. */
const parseUnauthenticatedJson = parserOf(16 * 1024);
/** Of one body: far above any that is valid, and far below what a few bytes of brackets and commas unfold to. */
const jsonValuesMax = 300_000;

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
  if (route.request === undefined) return undefined;
  const parse = route.scope === null ? parseUnauthenticatedJson : parseJson;
  await new Promise<void>((resolve, reject) => {
    parse(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  return checkJsonBody(route.request, request.body);
}

/** Bytes of a body that is not JSON, at most. */
export function mostBytes(route: Route, { fileBytes, exportBytes }: Receiving): number {
  return route.requestContent === "application/gzip" ? exportBytes : fileBytes + envelopeBytes;
}

function readExport({ control, actor, exportBytes: maxBytes }: Receiving, request: Request): Promise<ReceivedExport> {
  // Refused before the bytes are sent where the client says how many there will be.
  if (Number(request.get("content-length") ?? 0) > maxBytes) {
    throw new AppError("too_large", `the export exceeds the limit of ${maxBytes} bytes`);
  }
  const agentId = request.query["agent_id"] as string | undefined;
  const upload = { agentId: agentId === undefined ? undefined : agentIdFromWire(agentId), maxBytes };
  return receiveExport(control, actor, { ...upload, body: leaveOpen(request) });
}

/**
 * The validated body; an empty one counts as `{}`, whatever its content type says.
 * @throws AppError `invalid` with every problem; what the parser throws is translated in errors.ts.
 */
function checkJsonBody(schema: NonNullable<Route["request"]>, sent: unknown): unknown {
  const body = sent === undefined ? {} : sent;
  // To check each of millions of values would keep everybody else's calls waiting.
  if (hasMoreValues(body, jsonValuesMax)) throw invalidField("body", `expected at most ${jsonValuesMax} values`);
  const issues = validate(schema, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is invalid", { issues });
  return body;
}

/** Whether objects and lists have more than `most` members together. */
function hasMoreValues(body: unknown, most: number): boolean {
  const pending: unknown[] = [body];
  for (let seen = 0; pending.length > 0;) {
    const next = pending.pop();
    if (typeof next !== "object" || next === null) continue;
    const members: unknown[] = Array.isArray(next) ? next : Object.values(next);
    seen += members.length;
    if (seen > most) return true;
    for (const member of members) if (typeof member === "object" && member !== null) pending.push(member);
  }
  return false;
}

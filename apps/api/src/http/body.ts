// Reads a call's body: JSON (whatever the content type), an uploaded file, or an exported session. Leaves other bytes
// to the handler.

import { validate, type Route } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { receiveExport, type ReceivedExport } from "@dari/control/outbound";
import { agentIdFromWire, AppError, invalidField, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { iterateWithoutDestroy } from "./iterate-without-destroy.ts";
import { envelopeBytes, receiveFile } from "./upload.ts";

const parserOf = (bytes: number) => express.json({ limit: bytes, strict: false, type: () => true });
const parseJson = parserOf(limits.jsonBodyBytes);
/** A token, a code or a name. The sender is not known yet, so the limit is small. */
const parseUnauthenticatedJson = parserOf(16 * 1024);
/** Far above any valid body, and far below what 1 MB of brackets and commas expands to. */
const jsonValuesMax = 300_000;

export interface BodyContext {
  readonly control: Control;
  readonly actor: Actor;
  readonly fileBytes: number;
  readonly exportBytes: number;
}

/**
 * Returns undefined if the route has no body, or reads it itself. The query must be valid.
 * @throws AppError as `readJsonBody`, `receiveFile` and `receiveExport`.
 */
export async function readBody(
  route: Route,
  receiving: BodyContext,
  request: Request,
  response: Response,
): Promise<unknown> {
  if (route.requestContent === "multipart/form-data") {
    return receiveFile({ ...receiving, form: route.form }, request, response);
  }
  if (route.requestContent === "application/gzip") return readExport(receiving, request);
  if (route.request === undefined || route.isSigned === true) return undefined;
  const parse = route.scope === null ? parseUnauthenticatedJson : parseJson;
  await new Promise<void>((resolve, reject) => {
    parse(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  return readJsonValue(route.request, request.body);
}

const parseSigned = express.raw({ limit: limits.triggerBodyBytes, type: () => true, inflate: false });

/** Returns the bytes of a signed body as they came. @throws what the parser throws, which errors.ts translates. */
export async function readSignedBody(request: Request, response: Response): Promise<Buffer> {
  await new Promise<void>((resolve, reject) => {
    parseSigned(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
  const body: unknown = request.body;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** Returns the maximum size of a body that is not JSON, in bytes. */
export function maxBodyBytes(route: Route, { fileBytes, exportBytes }: BodyContext): number {
  return route.requestContent === "application/gzip" ? exportBytes : fileBytes + envelopeBytes;
}

function readExport({ control, actor, exportBytes: maxBytes }: BodyContext, request: Request): Promise<ReceivedExport> {
  // If the client announces the size, refuse before the bytes are sent.
  if (Number(request.get("content-length") ?? 0) > maxBytes) {
    throw new AppError("too_large", `the export exceeds the limit of ${maxBytes} bytes`);
  }
  const agentId = request.query["agent_id"] as string | undefined;
  const upload = { agentId: agentId === undefined ? undefined : agentIdFromWire(agentId), maxBytes };
  return receiveExport(control, actor, { ...upload, body: iterateWithoutDestroy(request) });
}

/**
 * Returns the validated body. An empty one counts as `{}`, whatever its content type.
 * @throws AppError `invalid` with every problem; what the parser throws is translated in errors.ts.
 */
export function readJsonValue(schema: NonNullable<Route["request"]>, sent: unknown): unknown {
  const body = sent === undefined ? {} : sent;
  // Validating millions of values would block all other calls of this process.
  if (hasMoreValues(body, jsonValuesMax)) throw invalidField("body", `expected at most ${jsonValuesMax} values`);
  const issues = validate(schema, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is invalid", { issues });
  return body;
}

/** Returns whether objects and lists have more than `most` members together. */
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

// Reads a call's body: JSON (whatever the content type), an uploaded file, or an exported session. Leaves other bytes
// to the handler.

import { validate, type Route } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { receiveExport, type ReceivedExport } from "@dari/control/outbound";
import { agentIdFromWire, AppError, invalidField, limits } from "@dari/domain";
import express, { type Request, type Response } from "express";
import { iterateWithoutDestroy } from "./iterate-without-destroy.ts";
import { envelopeBytes, receiveFile } from "./upload.ts";

/** Far above any valid body, and far below what 4 MiB of brackets and commas make. */
const jsonValuesMax = 150_000;
const parserOf = (bytes: number, valuesMax = jsonValuesMax) =>
  express.json({
    limit: bytes,
    strict: false,
    type: () => true,
    verify: (_request, _response, json, encoding) => checkBeforeParsing(json, encoding, valuesMax),
  });
const parseJson = parserOf(limits.jsonBodyBytes);
/** A token, a code or a name. The sender is not known yet, so the limit is small. */
const parseUnauthenticatedJson = parserOf(16 * 1024);

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
  const parse = parserFor(route);
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
  const issues = validate(schema, body);
  if (issues.length > 0) throw new AppError("invalid", "the body is invalid", { issues });
  return body;
}

function parserFor({ scope, bodyValuesMax }: Route) {
  if (scope === null) return parseUnauthenticatedJson;
  return bodyValuesMax === undefined ? parseJson : parserOf(limits.jsonBodyBytes, bodyValuesMax);
}

/** Refuses what would block all other calls of this process while it is parsed. @throws AppError `invalid` */
function checkBeforeParsing(json: Buffer, encoding: string, valuesMax: number): void {
  if (encoding !== "utf-8") throw invalidField("body", "expected JSON in UTF-8");
  if (hasMoreValues(json, valuesMax)) throw invalidField("body", `expected at most ${valuesMax} values`);
}

const [quote, backslash, comma, listStart, objectStart, listEnd, objectEnd, space = 0] = Buffer.from('"\\,[{]} ');

/**
 * Returns whether objects and lists have more than `most` members together. Each comma separates two, and each object
 * or list that is not empty has one more. Text that is not JSON is counted at least up to where parsing fails.
 */
function hasMoreValues(json: Buffer, most: number): boolean {
  let members = 0;
  let isInString = false;
  let isOpened = false;
  for (let at = 0; at < json.length && members <= most; at++) {
    const byte = json[at] ?? space;
    if (isInString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isInString = false;
      continue;
    }
    if (byte <= space) continue;
    if (byte === comma || (isOpened && byte !== listEnd && byte !== objectEnd)) members += 1;
    isOpened = byte === listStart || byte === objectStart;
    isInString = byte === quote;
  }
  return members > most;
}

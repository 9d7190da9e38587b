// Makes the methods from the generated table. Arguments are the ids in the order of the path, the body, the
// organization, the query, and the options.

import type { CallOptions, Content, FileUpload, OperationRow, StreamOptions } from "./call.ts";
import { bytesOf, canResend, formOf } from "./content.ts";
import { ConnectionError } from "./errors.ts";
import { operations, type Operations } from "./generated/operations.ts";
import { newKey } from "./idempotency-key.ts";
import { followEvents } from "./streams.ts";
import type { HttpRequest, Transport } from "./transport.ts";

export function createOperations(transport: Transport): Operations {
  const methods = Object.entries<OperationRow>(operations).map(([name, row]) => {
    const ids = [...row.path.matchAll(/\{(\w+)\}/g)].map(([, id = ""]) => id);
    return [name, (...given: readonly unknown[]) => invoke(transport, row, readArguments(row, ids, given))];
  });
  return Object.fromEntries(methods) as Operations;
}

interface Arguments {
  readonly path: string;
  readonly body: unknown;
  readonly query: Readonly<Record<string, unknown>>;
  readonly options: StreamOptions & Readonly<Record<string, unknown>>;
}

function readArguments(row: OperationRow, ids: readonly string[], given: readonly unknown[]): Arguments {
  const rest = [...given];
  const values: Record<string, unknown> = {};
  for (const id of ids) {
    if (!(row.hasDefaultOrganization && id === "organization_id")) values[id] = rest.shift();
  }
  const body = row.body === undefined ? undefined : rest.shift();
  if (row.hasDefaultOrganization) values["organization_id"] = rest.shift() ?? "current";
  const query = row.hasQuery ? rest.shift() : {};
  const path = row.path.replace(/\{(\w+)\}/g, (_, id: string) => {
    const value = values[id];
    if (typeof value === "number") return String(value);
    if (typeof value !== "string" || value === "") throw new TypeError(`${id} must be a string that is not empty`);
    return encodeURIComponent(value);
  });
  return { path, body, query: { ...(query as object) }, options: { ...(rest.shift() as object) } };
}

function invoke(transport: Transport, row: OperationRow, { path, body, query, options }: Arguments): unknown {
  const request = { ...requestOf(row, body, options), url: path + renderQuery(query) };
  if (row.reply === "events") return followEvents(transport, { request, path, query, options });
  if (row.reply === "content")
    return transport.send(request, async ({ body: bytes }) => bytes ?? new Blob([]).stream());
  return transport.send<unknown>(request, row.reply === "text" ? readText : readJson);
}

function requestOf(row: OperationRow, body: unknown, options: Arguments["options"]): Omit<HttpRequest, "url"> {
  const key = row.isKeyed ? (options.idempotencyKey ?? newKey()) : options.idempotencyKey;
  const headers = {
    ...(key === undefined ? {} : { "idempotency-key": key }),
    ...headersOf(options),
  };
  const sent = bodyOf(row, body);
  // An upload is answered after all of it is stored.
  const timeoutMs =
    options.timeoutMs ?? row.timeoutMs ?? (row.body === undefined || row.body === "json" ? undefined : 0);
  return {
    method: row.method,
    headers: { ...sent.headers, ...headers },
    ...(sent.body === undefined ? {} : { body: sent.body }),
    timeoutMs,
    signal: options.signal,
    isKeyless: row.isKeyless ?? false,
    canResend: sent.canResend ?? true,
    isIdempotent: row.method === "GET" || row.isKeyed === true,
  };
}

interface SentBody {
  readonly body?: NonNullable<RequestInit["body"]>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly canResend?: boolean;
}

function bodyOf(row: OperationRow, body: unknown): SentBody {
  if (row.body === "json") {
    return { body: JSON.stringify(body ?? {}), headers: { "content-type": "application/json" } };
  }
  if (row.body === "form") {
    const file = body as FileUpload;
    return { ...formOf(file), canResend: canResend(file.content) };
  }
  if (row.body === "bytes") {
    const headers = { "content-type": row.contentType ?? "application/octet-stream" };
    return { body: bytesOf(body as Content), headers, canResend: canResend(body as Content) };
  }
  return {};
}

const headerNames = { ifMatch: "if-match", ifNoneMatch: "if-none-match", range: "range" } as const;

function headersOf(options: CallOptions & Readonly<Record<string, unknown>>): Record<string, string> {
  const given = Object.entries(headerNames).filter(([option]) => typeof options[option] === "string");
  return Object.fromEntries(given.map(([option, header]) => [header, String(options[option])]));
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new ConnectionError("the reply is incomplete or is not JSON", { cause: error });
  }
}

async function readText(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw new ConnectionError("the reply is incomplete", { cause: error });
  }
}

/** Absent values are left out, lists are repeated, and `metadata` becomes one parameter for each of its keys. */
export function renderQuery(query: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] => {
    if (value === undefined || value === null || value === false) return [];
    if (Array.isArray(value)) return value.map((one) => [name, String(one)]);
    if (typeof value === "object") return Object.entries(value).map(([key, one]) => [`${name}.${key}`, String(one)]);
    return [[name, value === true ? "1" : String(value)]];
  });
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`;
}

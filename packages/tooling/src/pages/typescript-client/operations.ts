// Each operation of the OpenAPI document: its method's signature, and what the method needs to know to send it.

import { componentOf, isSwitch, type Operation, type Parameter, type Place } from "../api-document.ts";
import { docComment, typeOf } from "./types.ts";

const events = "text/event-stream";

/** Operations whose time limit differs from the client's, in milliseconds; 0: none. */
const timeouts: Readonly<Record<string, number>> = {
  sendMessageSync: 0,
  // These read whole tables or objects before they answer.
  checkStore: 300_000,
  getOperatorHealth: 300_000,
  resealSecrets: 300_000,
  completeFileUpload: 3_600_000,
};

/** Written by hand, because it reads events to be independent of the time limits of HTTP clients. */
const handWritten: readonly string[] = ["sendMessage"];

export function isGenerated({ operation }: Place): boolean {
  return !handWritten.includes(operation.operationId);
}

/** Returns one member of the interface of all operations. */
export function signatureOf(place: Place): string {
  const { operation } = place;
  const [reading, type] = replyOf(operation);
  const result = { json: "Promise", text: "Promise", content: "Promise", events: "AsyncGenerator" }[reading];
  const parameters = [
    ...idsOf(place).map((id) => `${camel(id)}: ${id === "attempt_number" ? "number | string" : "string"}`),
    ...bodyParameter(operation),
    ...(hasDefaultOrganization(place) ? ["organizationId?: string"] : []),
    ...queryParameter(operation),
    `options?: ${optionsOf(operation, reading)}`,
  ];
  const name = operation.operationId;
  return `${docComment(operation.summary, "  ")}  ${name}(${parameters.join(", ")}): ${result}<${type}>;\n`;
}

/** Returns one row of the table that the methods are made of. */
export function rowOf(place: Place): string {
  const { method, path, operation } = place;
  const [reading] = replyOf(operation);
  const kind = bodyKind(operation);
  const parameters = operation.parameters ?? [];
  const fields = [
    `method: "${method}"`,
    `path: "${path}"`,
    ...(kind === undefined ? [] : [`body: "${kind}"`]),
    ...(kind === "bytes" && contentTypeOf(operation) !== bytes ? [`contentType: "${contentTypeOf(operation)}"`] : []),
    ...(hasDefaultOrganization(place) ? ["hasDefaultOrganization: true"] : []),
    ...(queryOf(operation).length === 0 ? [] : ["hasQuery: true"]),
    ...(reading === "json" ? [] : [`reply: "${reading}"`]),
    ...(parameters.some(({ name }) => name === "Idempotency-Key") ? ["isKeyed: true"] : []),
    ...(operation.security?.length === 0 ? ["isKeyless: true"] : []),
    ...(operation.operationId in timeouts ? [`timeoutMs: ${timeouts[operation.operationId]}`] : []),
  ];
  return `  ${operation.operationId}: { ${fields.join(", ")} },\n`;
}

/** `agent_id` → `agentId` */
function camel(name: string): string {
  return name.replace(/[-_]([A-Za-z])/g, (_, letter: string) => letter.toUpperCase());
}

function pathParameters({ path }: Place): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}

/**
 * Returns whether the organization is an optional argument, the key's own by default. Not where the organization itself
 * is changed or deleted.
 */
function hasDefaultOrganization(place: Place): boolean {
  const isTarget = place.path.endsWith("{organization_id}") && place.method !== "GET";
  return pathParameters(place).includes("organization_id") && !isTarget;
}

function idsOf(place: Place): string[] {
  const isLeftOut = hasDefaultOrganization(place);
  return pathParameters(place).filter((name) => !(isLeftOut && name === "organization_id"));
}

const bytes = "application/octet-stream";

function contentTypeOf({ requestBody }: Operation): string | undefined {
  return requestBody === undefined ? undefined : Object.keys(requestBody.content)[0];
}

function bodyKind(operation: Operation): "json" | "form" | "bytes" | undefined {
  const kind = contentTypeOf(operation);
  if (kind === undefined) return undefined;
  if (kind === "multipart/form-data") return "form";
  return kind === "application/json" ? "json" : "bytes";
}

function bodyParameter(operation: Operation): string[] {
  const kind = bodyKind(operation);
  if (kind === "form") return ["file: FileUpload"];
  if (kind === "bytes") return ["content: Content"];
  if (kind === undefined) return [];
  const { required, content } = operation.requestBody!;
  const reference = content["application/json"]?.schema?.["$ref"];
  if (typeof reference !== "string") throw new Error(`the body of ${operation.operationId} has no name`);
  return [`body${required ? "" : "?"}: ${componentOf(reference)}`];
}

function queryOf({ parameters = [] }: Operation): Parameter[] {
  return parameters.filter((one) => one.in === "query");
}

function queryParameter(operation: Operation): string[] {
  const query = queryOf(operation);
  if (query.length === 0) return [];
  const fields = query.map((one) => {
    const type = isSwitch(one) ? "boolean" : typeOf(one.schema, "");
    return one.required ? `${one.name}: ${type}` : `${one.name}?: ${type} | undefined`;
  });
  if (operation.summary.includes("metadata.<key>")) fields.push("metadata?: Readonly<Record<string, string>>");
  return [`query${query.some((one) => one.required) ? "" : "?"}: { ${fields.join("; ")} }`];
}

/** Headers are options, such as `ifMatch`. */
function optionsOf({ parameters = [] }: Operation, reading: Reading): string {
  const headers = parameters.filter((one) => one.in === "header" && one.name !== "Idempotency-Key");
  const base = reading === "events" ? "StreamOptions" : "CallOptions";
  if (headers.length === 0) return base;
  const fields = headers.map(({ name }) => `${camel(name[0]!.toLowerCase() + name.slice(1))}?: string`);
  return `${base} & { ${fields.join("; ")} }`;
}

/** How the reply is read: as JSON, as text, as streamed bytes, or as streamed events. */
type Reading = "json" | "text" | "content" | "events";

function replyOf({ responses }: Operation): [Reading, string] {
  const [, reply] = Object.entries(responses).find(([status]) => status.startsWith("2")) ?? [];
  const [[kind, { schema }] = ["", {}]] = Object.entries(reply?.content ?? {});
  if (kind === "application/json") return ["json", typeOf(schema ?? {}, "  ")];
  if (kind === events) return ["events", "StreamItem"];
  return /^text\/|json/.test(kind) ? ["text", "string"] : ["content", "ReadableStream<Uint8Array>"];
}

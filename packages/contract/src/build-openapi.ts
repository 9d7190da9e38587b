// The OpenAPI 3.1 document, derived from the routes and from the schemas that validate requests.

import { appErrorCodes, limits } from "@dari/domain";
import type { TSchema } from "typebox";
import { ErrorBody, errorKinds } from "./errors.ts";
import { openAiStatusOf } from "./openai-error.ts";
import { pathSchema, routePaths, routes, type RouteName } from "./routes.ts";
import { isChatClientPath } from "./routes/chat-clients.ts";
import { isMcpPath } from "./routes/mcp.ts";
import { isOpenAiPath } from "./routes/openai.ts";
import type { Route } from "./routes/route.ts";
import { StreamedEvent } from "./schemas/events.ts";
import { McpRefusal } from "./schemas/mcp.ts";
import { OpenAiErrorBody } from "./schemas/openai-responses.ts";
import { WebhookPayload } from "./schemas/webhooks.ts";
import { tokenScopeOf } from "./session-token-access.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type HeaderName = "RateLimit-Policy" | "RateLimit" | "Retry-After";

function refusalOf(path: string, status: number): Json {
  const plain = status === errorKinds.limit_exceeded.status ? "LimitExceeded" : "Error";
  const name = isOpenAiPath(path) ? `OpenAi${plain}` : isMcpPath(path) ? `Mcp${plain}` : plain;
  return { $ref: `#/components/responses/${name}` };
}

const describedHeaders: Readonly<Record<HeaderName, JsonObject>> & JsonObject = {
  "RateLimit-Policy": {
    description: "Rate limits of this request, by name: `q` per window of `w` seconds, in the unit `qu`.",
    schema: { type: "string", examples: ['"requests";q=300000;w=60'] },
  },
  RateLimit: {
    description: "What is left of each rate limit: `r`. Its window ends in `t` seconds.",
    schema: { type: "string", examples: ['"requests";r=299999;t=60'] },
  },
  "Retry-After": {
    description: "Seconds to wait before you send the same request again.",
    schema: { type: "integer", minimum: 0 },
  },
};

function headerOf(name: HeaderName): { $ref: string } {
  return { $ref: `#/components/headers/${name}` };
}

/** Headers of every request with a key that has rate limits. */
const rateHeaders = { "RateLimit-Policy": headerOf("RateLimit-Policy"), RateLimit: headerOf("RateLimit") };

type JsonObject = { [name: string]: Json };

const keyMeaning =
  "An API key: `dari_…`. Operations with `x-session-token-scope` accept a session token with that scope too: `dtok_…`.";

/** Builds the document. `serverUrl` is the platform's public address, without `/v1`. */
export function buildOpenApi(options: { readonly version: string; readonly serverUrl: string }): JsonObject {
  const components = new Map<string, Json>();
  const paths: { [path: string]: JsonObject } = {};
  for (const [name, route] of Object.entries<Route>(routes)) {
    for (const [index, path] of routePaths(route).entries()) {
      const operationId = index === 0 ? name : `${name}AsDeployment`;
      const item = (paths[path] ??= {});
      item[route.method.toLowerCase()] = describeOperation(operationId, path, route, components);
    }
  }
  const refusals = (prefix: string, schema: Json): JsonObject => ({
    [`${prefix}Error`]: { description: "Error.", content: { "application/json": { schema } } },
    [`${prefix}LimitExceeded`]: {
      description: "Limit reached.",
      headers: { "Retry-After": headerOf("Retry-After"), ...rateHeaders },
      content: { "application/json": { schema } },
    },
  });
  const payload = reference(WebhookPayload, components);
  return {
    openapi: "3.1.0",
    info: { title: "Dari", version: options.version, description: "Runs agents in durable sessions." },
    servers: [{ url: options.serverUrl }],
    security: [{ apiKey: [] }],
    paths,
    webhooks: { delivery: { post: describeDelivery(payload) } },
    components: {
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", description: keyMeaning } },
      responses: {
        ...refusals("", reference(ErrorBody, components)),
        ...refusals("OpenAi", reference(OpenAiErrorBody, components)),
        ...refusals("Mcp", { anyOf: [reference(ErrorBody, components), reference(McpRefusal, components)] }),
      },
      headers: describedHeaders,
      schemas: Object.fromEntries([...components].sort(([left], [right]) => (left < right ? -1 : 1))),
    },
  };
}

function describeDelivery(payload: Json): JsonObject {
  return {
    summary: "A delivery to a webhook endpoint.",
    requestBody: { required: true, content: { "application/json": { schema: payload } } },
    responses: { "2XX": { description: "Received. Every other status is a failure, and the delivery is retried." } },
  };
}

function describeOperation(operationId: string, path: string, route: Route, components: Map<string, Json>): JsonObject {
  const parameters = [
    ...parametersIn("path", pathSchema(route), components),
    ...parametersIn("query", route.query, components),
    ...headerParameters(route),
  ];
  const body = requestBody(route, components);
  const headers = replyHeaders(route);
  const success: Json = { description: "Success.", ...headers, content: replyContent(route, components) };
  const empty: Json = { description: "Success, without content.", ...headers };
  const statuses = [route.status, ...(route.alsoStatus ?? [])];
  const isEmpty = (status: number): boolean => status === 204 || (isMcpPath(path) && status === mcpAccepted);
  const tokenScope = tokenScopeOf(operationId as RouteName);
  return {
    operationId,
    summary: route.summary,
    tags: [tagOf(path)],
    ...(route.scope === null ? { security: [] } : { "x-scope": route.scope }),
    ...(tokenScope === undefined ? {} : { "x-session-token-scope": tokenScope }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      ...Object.fromEntries(statuses.map((status) => [String(status), isEmpty(status) ? empty : success])),
      ...Object.fromEntries(errorStatuses(route).map((status) => [String(status), refusalOf(path, status)])),
    },
  };
}

/** Returns the group of a path in the reference. */
function tagOf(path: string): string {
  if (isOpenAiPath(path)) return "openai";
  if (isMcpPath(path)) return "mcp";
  return isChatClientPath(path) ? "chat-clients" : (path.split("/")[2] ?? "");
}

/** Status of a message that breaks the rules of MCP. */
const mcpRefused = 400;

/** Status of a message of MCP that needs no reply. */
const mcpAccepted = 202;

/** Status of a range outside the content. */
const rangeRefused = 416;

/** Returns whether the route answers range requests. */
function isRanged(route: Route): boolean {
  return route.alsoStatus?.includes(206) === true;
}

/** Returns the error statuses of a route. Most are the same for all routes. */
function errorStatuses(route: Route): number[] {
  const hasBody = route.request !== undefined || route.requestContent !== undefined;
  const statuses = new Set(
    appErrorCodes.map((code) => (isOpenAiPath(route.path) ? openAiStatusOf(code) : errorKinds[code].status)),
  );
  if (!hasBody) statuses.delete(errorKinds.too_large.status);
  if (route.scope === null && route.isSigned !== true) statuses.delete(errorKinds.unauthenticated.status);
  if (route.conditional !== true) statuses.delete(errorKinds.precondition_failed.status);
  if (route.method === "GET" && route.mayConflict !== true) statuses.delete(errorKinds.conflict.status);
  if (isRanged(route)) statuses.add(rangeRefused);
  if (isMcpPath(route.path)) statuses.add(mcpRefused);
  return [...statuses].sort((left, right) => left - right);
}

function parametersIn(place: "path" | "query", schema: TSchema | undefined, components: Map<string, Json>): Json[] {
  if (schema === undefined || !("properties" in schema)) return [];
  const required = "required" in schema && Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties as Record<string, TSchema>).map(([name, parameter]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: reference(parameter, components),
  }));
}

function headerParameters(route: Route): Json[] {
  const conditions = [
    ...(route.conditional === true ? ["If-Match", "If-None-Match"] : []),
    ...(isRanged(route) ? ["Range"] : []),
  ];
  const names = route.idempotent === true ? [...conditions, "Idempotency-Key"] : conditions;
  return names.map((name) => ({
    name,
    in: "header",
    required: false,
    description: headerMeanings[name] ?? "",
    schema:
      name === "Idempotency-Key"
        ? { type: "string", minLength: 1, maxLength: limits.idempotencyKeyChars }
        : { type: "string" },
  }));
}

const headerMeanings: Readonly<Record<string, string>> = {
  "If-Match": "Do the request only if the file has this `ETag`; otherwise 412.",
  "If-None-Match": "`*`: do the request only if the file does not exist; otherwise 412.",
  Range: "Return only these bytes, with status 206.",
  "Idempotency-Key": "Makes the request safe to repeat. A repeated request returns the first one's resource.",
};

const restoredFrom = {
  description:
    "Present if the newest snapshot's list of files is damaged: the id of the older snapshot that was read instead.",
  schema: { type: "string" },
};

function replyHeaders(route: Route): JsonObject {
  const description =
    "The key was used before. The reply shows the resource of the first request as it is now, without secrets.";
  const headers: JsonObject = {
    ...(route.scope === null ? {} : rateHeaders),
    ...(route.mayBeOlder === true ? { "Dari-Restored-From": restoredFrom } : {}),
    ...(route.idempotent === true ? { "Idempotent-Replayed": { description, schema: { const: "true" } } } : {}),
  };
  return Object.keys(headers).length === 0 ? {} : { headers };
}

/** The schema of a form's fields, as JSON. */
type FormFields = { readonly required: string[]; readonly properties: JsonObject };

function requestBody(route: Route, components: Map<string, Json>): JsonObject | undefined {
  if (route.request !== undefined) {
    const schema = reference(route.request, components);
    return { required: route.bodyOptional !== true, content: { "application/json": { schema } } };
  }
  if (route.requestContent === "multipart/form-data") {
    const file = { type: "string", contentMediaType: "application/octet-stream" };
    const fields = reference(route.form ?? { properties: {}, required: [] }, components) as FormFields;
    const schema = {
      type: "object",
      required: ["file", ...fields.required],
      properties: { file, ...fields.properties },
      additionalProperties: false,
    };
    return { required: true, content: { "multipart/form-data": { schema } } };
  }
  if (route.requestContent === undefined) return undefined;
  return { required: route.bodyOptional !== true, content: { [route.requestContent]: {} } };
}

function replyContent(route: Route, components: Map<string, Json>): JsonObject {
  if (route.reply !== undefined) {
    const json = { "application/json": { schema: reference(route.reply, components) } };
    return route.mayStream === true ? { ...json, ...eventStream(components, route.streamItem) } : json;
  }
  const content = route.replyContent ?? "application/octet-stream";
  if (content === "text/event-stream") return eventStream(components, route.streamItem);
  return {
    [content]: content === "text/plain" || content === "application/x-ndjson" ? { schema: { type: "string" } } : {},
  };
}

/** OpenAPI 3.1 has no keyword for the items of a stream; 3.2 calls it `itemSchema`. */
function eventStream(components: Map<string, Json>, item: TSchema = StreamedEvent): JsonObject {
  return { "text/event-stream": { "x-item-schema": reference(item, components) } };
}

/**
 * Returns a schema as JSON. A schema with a title becomes a component and a reference to it. Text in a query is
 * described as the value that it represents.
 */
function reference(schema: unknown, components: Map<string, Json>): Json {
  if (Array.isArray(schema)) return schema.map((item: unknown) => reference(item, components));
  if (typeof schema !== "object" || schema === null) return schema as Json;
  if ("x-integer-text" in schema) {
    const { "x-integer-text": bounds, type: _text, ...described } = schema as JsonObject;
    return { type: "integer", ...(bounds as JsonObject), ...described };
  }
  if ("x-json" in schema) {
    const { "x-json": _bounds, ...described } = schema as JsonObject;
    return described;
  }
  const { title, ...untitled } = schema as { title?: unknown; [name: string]: unknown };
  const named = typeof title === "string";
  // Among properties, `title` is the name of one, with its schema.
  const rest = named || title === undefined ? untitled : { title, ...untitled };
  if (named && components.has(title)) return { $ref: `#/components/schemas/${title}` };
  const members = Object.entries(rest).map(([name, member]): [string, Json] => [name, reference(member, components)]);
  const plain: JsonObject = Object.fromEntries(members);
  if ("discriminator" in rest) plain["discriminator"] = withMapping(rest, plain);
  if (!named) return plain;
  components.set(title, plain);
  return { $ref: `#/components/schemas/${title}` };
}

interface Discriminated {
  readonly discriminator?: { readonly propertyName: string };
  readonly oneOf?: readonly { readonly properties?: Readonly<Record<string, { readonly enum?: readonly string[] }>> }[];
}

/** Adds the mapping from tags to components. Without it, OpenAPI uses the component's name as the tag. */
function withMapping({ discriminator, oneOf = [] }: Discriminated, plain: JsonObject): Json {
  const tag = discriminator?.propertyName ?? "";
  const references = Array.isArray(plain["oneOf"]) ? plain["oneOf"] : [];
  const mapping = oneOf.flatMap(({ properties }, index) => {
    const arm = references[index];
    const name = typeof arm === "object" && arm !== null && "$ref" in arm ? arm["$ref"] : undefined;
    return name === undefined ? [] : (properties?.[tag]?.enum ?? []).map((word): [string, Json] => [word, name]);
  });
  return { propertyName: tag, ...(mapping.length > 0 ? { mapping: Object.fromEntries(mapping) } : {}) };
}

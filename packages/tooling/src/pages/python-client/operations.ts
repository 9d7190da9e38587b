// Each operation of the OpenAPI document as a method of the asynchronous Python client.

import { componentOf, isSwitch, type Operation, type Parameter, type Place } from "../api-document.ts";
import type { PythonTypes } from "./types.ts";

interface Argument {
  readonly name: string;
  readonly type: string;
  /** Absent: the argument is required. */
  readonly fallback?: string;
}

/** How the reply is read: as JSON, as text, as streamed bytes, or as streamed events. */
type Reading = "json" | "text" | "content" | "events";

const events = "text/event-stream";

/** Operations that answer when a turn has ended. */
const answersLate = ["sendMessage", "sendMessageSync"];

/** `createSession` → `create_session` */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, "");
}

/** Returns the name of a header or a query parameter as an argument. */
const argumentName = (name: string): string =>
  snake(name.replace(/-([A-Za-z])/g, (_, letter: string) => `_${letter}`).toLowerCase());

/** Returns the method's text, indented for its class. */
export function methodOf(place: Place, types: PythonTypes): string {
  const { operation } = place;
  const parameters = operation.parameters ?? [];
  const path = parameters.filter((one) => one.in === "path").map((one) => ({ name: one.name, type: "str" }));
  const body = bodyArguments(operation);
  const others = parameters.filter((one) => one.in !== "path").map((one) => parameterArgument(one, types));
  const [reading, type] = replyOf(operation, types);
  const extra: Argument[] = [
    ...(operation.operationId === "listSessions"
      ? [{ name: "metadata", type: "Mapping[str, str | int | float | bool] | None", fallback: "None" }]
      : []),
    { name: "timeout", type: "float | None", fallback: "None" },
  ];
  const positional = ["self", ...[...path, ...body].map(renderArgument)];
  const keywords = [
    ...others.filter((one) => one.fallback === undefined),
    ...others.filter((one) => one.fallback !== undefined),
  ];
  const signature = [...positional, "*", ...[...keywords, ...extra].map(renderArgument)];
  const head = `    ${reading === "events" ? "def" : "async def"} ${snake(operation.operationId)}`;
  return [
    `${head}${inBrackets(signature, "    ", head.length + `) -> ${type}:`.length)} -> ${type}:`,
    `        """${operation.summary.replaceAll("\\", "\\\\")}"""`,
    `        call = ${callOf(place, body)}`,
    ...resultLines(reading, type, readerOf(reading, operation)),
    "",
  ].join("\n");
}

function renderArgument({ name, type, fallback }: Argument): string {
  return `${name}: ${type}${fallback === undefined ? "" : ` = ${fallback}`}`;
}

function parameterArgument(parameter: Parameter, types: PythonTypes): Argument {
  const name = argumentName(parameter.name);
  const type = isSwitch(parameter) ? "bool" : types.expression(parameter.schema, name);
  return parameter.required ? { name, type } : { name, type: `${type} | None`, fallback: "None" };
}

function bodyArguments({ operationId, requestBody }: Operation): Argument[] {
  if (requestBody === undefined) return [];
  const [[kind, { schema }] = ["", {}]] = Object.entries(requestBody.content);
  if (kind === "multipart/form-data") {
    return [
      { name: "content", type: "Content" },
      { name: "filename", type: "str" },
      { name: "content_type", type: "str", fallback: '"application/octet-stream"' },
    ];
  }
  if (kind !== "application/json") return [{ name: "content", type: "Content" }];
  const reference = schema?.["$ref"];
  if (typeof reference !== "string") throw new Error(`the body of ${operationId} has no name`);
  const type = componentOf(reference);
  return [requestBody.required ? { name: "body", type } : { name: "body", type: `${type} | None`, fallback: "None" }];
}

function replyOf({ operationId, responses }: Operation, types: PythonTypes): [Reading, string] {
  const [, reply] = Object.entries(responses).find(([status]) => status.startsWith("2")) ?? [];
  const [[kind, { schema }] = ["", {}]] = Object.entries(reply?.content ?? {});
  if (kind === "application/json") {
    const name = operationId[0]?.toUpperCase() + operationId.slice(1);
    return ["json", types.expression(schema ?? {}, `${name}Reply`)];
  }
  if (kind === events) return ["events", "AsyncIterator[AnyStreamedEvent]"];
  return kind === "text/plain" ? ["text", "str"] : ["content", "AsyncBody"];
}

/** Parsed JSON has any type; here it gets the document's type. */
function resultLines(reading: Reading, type: string, read: string): string[] {
  if (reading !== "json") return [`        return ${read}`];
  return [`        reply: ${type} = ${read}`, "        return reply"];
}

function readerOf(reading: Reading, { operationId }: Operation): string {
  switch (reading) {
    case "json":
      return "await self._json(call)";
    case "text":
      return "await self._text(call)";
    case "content":
      return "await self._content(call)";
    case "events":
      return `self._events(call, ${JSON.stringify(operationId)})`;
  }
}

function callOf({ method, path, operation }: Place, body: readonly Argument[]): string {
  const address = path.replace(/\{(\w+)\}/g, "{segment($1)}");
  const parameters = operation.parameters ?? [];
  const named = (place: Parameter["in"]): string =>
    parameters
      .filter((one) => one.in === place && one.name !== "Idempotency-Key")
      .map((one) => `${JSON.stringify(one.name)}: ${argumentName(one.name)}`)
      .join(", ");
  const query =
    operation.operationId === "listSessions" ? `{${named("query")}, **by_metadata(metadata)}` : `{${named("query")}}`;
  const isKeyed = parameters.some((one) => one.name === "Idempotency-Key");
  const fields = [
    `"${method}"`,
    `${address === path ? "" : "f"}"${address}"`,
    ...(named("query") === "" ? [] : [`query=${query}`]),
    ...(named("header") === "" ? [] : [`headers={${named("header")}}`]),
    ...body.map(({ name }) => (name === "body" ? "json=body" : `${name}=${name}`)),
    ...(isKeyed ? ["idempotency_key=idempotency_key or new_key()"] : []),
    "timeout=timeout",
    ...(answersLate.includes(operation.operationId) ? ["waits=True"] : []),
    ...(operation.security?.length === 0 ? ["keyless=True"] : []),
  ];
  return `Call${inBrackets(fields, "        ", "        call = Call".length)}`;
}

/** Returns a list in round brackets: on one line if it fits beside `others` characters, else a line per item. */
function inBrackets(items: readonly string[], indentation: string, others: number): string {
  const flat = `(${items.join(", ")})`;
  if (others + flat.length <= 120) return flat;
  return `(\n${items.map((item) => `${indentation}    ${item},`).join("\n")}\n${indentation})`;
}

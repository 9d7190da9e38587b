// A curl command that works once its ids are replaced: method, address, key and the required body.

import type { ReferenceDocument, ReferenceRoute, Schema } from "./document.ts";
import { schemaName } from "./render-schema.ts";

const depthMax = 6;

export function curlExample({ method, path, operation }: ReferenceRoute, document: ReferenceDocument): string {
  const needed = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = needed.map(({ name, schema }) => `${name}=${encodeURIComponent(String(exampleOf(schema, document)))}`);
  const address = `${document.serverUrl}${path}${query.length > 0 ? `?${query.join("&")}` : ""}`;
  const parts = [`curl -X ${method} '${address}'`];
  if (operation.security === undefined) parts.push(`-H "Authorization: Bearer $DARI_API_KEY"`);
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type === "multipart/form-data") parts.push(...formFields(content?.schema, document));
  else if (type === "application/json" && content?.schema !== undefined) {
    const body = JSON.stringify(exampleOf(content.schema, document)).replaceAll("'", "'\\''");
    parts.push(`-H 'Content-Type: application/json'`, `-d '${body}'`);
  } else if (type !== undefined) parts.push(`-H 'Content-Type: ${type}'`, "--data-binary @FILE");
  return parts.join(" \\\n  ");
}

/** Returns an argument for each required field of a form. */
function formFields(schema: Schema = {}, document: ReferenceDocument): string[] {
  const { file: _file, ...fields } = objectExample(schema, document, 0) as Record<string, unknown>;
  return ["-F file=@FILE", ...Object.entries(fields).map(([name, value]) => `-F ${name}=${String(value)}`)];
}

/** Returns the minimal valid value: only required fields. */
export function exampleOf(schema: Schema, document: ReferenceDocument, depth = 0): unknown {
  const name = schemaName(schema);
  if (name !== undefined) return depth > depthMax ? null : exampleOf(document.schemas[name] ?? {}, document, depth + 1);
  if ("const" in schema) return schema["const"];
  if ("default" in schema) return schema["default"];
  const choice = [schema["enum"], schema["examples"]].find((list) => Array.isArray(list)) as unknown[] | undefined;
  if (choice !== undefined) return choice[0];
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(alternatives)) return exampleOf((alternatives as Schema[])[0] ?? {}, document, depth + 1);
  const type = Array.isArray(schema["type"]) ? (schema["type"] as unknown[])[0] : schema["type"];
  if (type === "object") return objectExample(schema, document, depth);
  if (type === "array") {
    const isNeeded = typeof schema["minItems"] === "number" && schema["minItems"] > 0;
    return isNeeded ? [exampleOf((schema["items"] ?? {}) as Schema, document, depth + 1)] : [];
  }
  if (type === "integer" || type === "number") return schema["minimum"] ?? 1;
  return type === "boolean" ? true : type === "null" ? null : "…";
}

function objectExample(schema: Schema, document: ReferenceDocument, depth: number): object {
  if (depth > depthMax) return {};
  const required = Array.isArray(schema["required"]) ? (schema["required"] as string[]) : [];
  const properties = (schema["properties"] ?? {}) as Record<string, Schema>;
  return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {}, document, depth + 1)]));
}

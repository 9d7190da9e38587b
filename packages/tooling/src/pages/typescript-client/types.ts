// JSON Schemas as TypeScript types: each named schema becomes an interface or an alias, everything else an expression.

import { componentOf, isRecord, rowsOf, valuesOf, withAbsentFields, type JsonSchema } from "../api-document.ts";

/** Returns the declarations of all named schemas, ordered by name. */
export function declarationsOf(schemas: Readonly<Record<string, JsonSchema>>): string {
  return Object.entries(withAbsentFields(schemas))
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, schema]) => `${commentOf(schema, "")}${declarationOf(name, schema)}`)
    .join("\n");
}

function declarationOf(name: string, schema: JsonSchema): string {
  if (isRecord(schema)) return `export interface ${name} ${recordOf(schema, "")}\n`;
  return `export type ${name} = ${typeOf(schema, "")};\n`;
}

/** Returns the type of a schema. Nested objects are indented below `indent`. */
export function typeOf(schema: JsonSchema, indent: string): string {
  const { $ref: reference, type, enum: words } = schema;
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (typeof reference === "string") return componentOf(reference);
  // Any string except the types of the other arms, or no value.
  if ("not" in schema) return type === "string" ? "UnknownType" : "never";
  if (Array.isArray(words)) return words.map((word) => JSON.stringify(word)).join(" | ");
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (isRecord(schema)) {
    const rows = rowsOf(schema);
    return rows === undefined ? recordOf(schema, indent) : `Page<${typeOf(rows, indent)}>`;
  }
  if (Array.isArray(alternatives)) return unionOf(alternatives as JsonSchema[], indent);
  if (Array.isArray(type))
    return unionOf(
      type.map((one: string) => ({ type: one })),
      indent,
    );
  if (type === "array") return arrayOf(typeOf((schema["items"] ?? {}) as JsonSchema, indent));
  if (type === "object") {
    const values = valuesOf(schema);
    return `Record<string, ${values === undefined ? "unknown" : typeOf(values, indent)}>`;
  }
  return plainTypes[String(type)] ?? "unknown";
}

const plainTypes: Readonly<Record<string, string>> = {
  boolean: "boolean",
  integer: "number",
  null: "null",
  number: "number",
  string: "string",
};

function unionOf(parts: readonly JsonSchema[], indent: string): string {
  return [...new Set(parts.map((part) => typeOf(part, indent)))].join(" | ");
}

function arrayOf(item: string): string {
  return /^\w+$/.test(item) ? `${item}[]` : `(${item})[]`;
}

function recordOf(schema: JsonSchema, indent: string): string {
  const required = (schema["required"] ?? []) as readonly string[];
  const inner = `${indent}  `;
  const members = Object.entries(schema["properties"] as Record<string, JsonSchema>).map(([name, part]) => {
    const mark = required.includes(name) ? "" : "?";
    return `${commentOf(part, inner)}${inner}${name}${mark}: ${typeOf(part, inner)};\n`;
  });
  return members.length === 0 ? "{}" : `{\n${members.join("")}${indent}}`;
}

/** Returns the schema's description as a doc comment; empty if it has none. */
function commentOf({ description }: JsonSchema, indent: string): string {
  return typeof description === "string" ? docComment(description, indent) : "";
}

export function docComment(text: string, indent: string): string {
  return `${indent}/** ${text.replaceAll("*/", "*\\/").replaceAll("\n", " ")} */\n`;
}

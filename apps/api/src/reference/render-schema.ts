// Renders a JSON Schema as nested HTML lists, with a short description per field.

import type { Schema } from "./document.ts";

/** Below this depth, only the type is shown. Named schemas are links. */
const depthMax = 6;

const bounds: Readonly<Record<string, string>> = {
  minLength: "at least {} characters",
  maxLength: "at most {} characters",
  minimum: "at least {}",
  maximum: "at most {}",
  minItems: "at least {} items",
  maxItems: "at most {} items",
  pattern: "matches {}",
  format: "{}",
};

export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

/** Renders the type and its bounds and, below it, the fields. */
export function renderSchema(schema: Schema, depth = 0): string {
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(alternatives)) {
    const shown = (alternatives as Schema[]).map((one) => renderSchema(one, depth + 1));
    return shown.join(" <i>or</i> ");
  }
  return `${renderType(schema, depth)}${renderNotes(schema)}${renderFields(schema, depth)}`;
}

function renderType(schema: Schema, depth: number): string {
  const name = schemaName(schema);
  if (name !== undefined) return `<a href="#schema-${escapeHtml(name)}"><code>${escapeHtml(name)}</code></a>`;
  if ("const" in schema) return `<code>${escapeHtml(JSON.stringify(schema["const"]))}</code>`;
  const listed = schema["enum"];
  if (Array.isArray(listed))
    return listed.map((value) => `<code>${escapeHtml(JSON.stringify(value))}</code>`).join(" | ");
  const items = schema["items"];
  if (typeof items === "object" && items !== null) return `list of ${renderSchema(items as Schema, depth + 1)}`;
  const type = schema["type"];
  return escapeHtml(Array.isArray(type) ? type.join(" or ") : typeof type === "string" ? type : "any");
}

function renderNotes(schema: Schema): string {
  const notes = Object.entries(bounds).flatMap(([keyword, words]) => {
    const value = schema[keyword];
    return typeof value === "string" || typeof value === "number" ? [words.replace("{}", String(value))] : [];
  });
  const about = schema["description"];
  if (typeof about === "string") notes.push(about);
  return notes.length === 0 ? "" : ` <small>${escapeHtml(notes.join("; "))}</small>`;
}

function renderFields(schema: Schema, depth: number): string {
  const properties = schema["properties"];
  if (typeof properties !== "object" || properties === null || depth >= depthMax) return "";
  const required = Array.isArray(schema["required"]) ? (schema["required"] as unknown[]) : [];
  const fields = Object.entries(properties as Record<string, Schema>).map(([name, field]) => {
    const mark = required.includes(name) ? "" : "?";
    return `<li><code>${escapeHtml(name)}</code>${mark} ${renderSchema(field, depth + 1)}</li>`;
  });
  return `<ul class="fields">${fields.join("")}</ul>`;
}

/** Returns the name that a reference refers to, or undefined if the schema is no reference. */
export function schemaName(schema: Schema): string | undefined {
  const reference = schema["$ref"];
  return typeof reference === "string" ? reference.split("/").at(-1) : undefined;
}

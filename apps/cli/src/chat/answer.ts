// Asks a person for an answer to an input, field by field, as its schema allows.

import { ApiError } from "@dari/client";

type Schema = Readonly<Record<string, unknown>>;

export interface AnswerField {
  /** Undefined: the field is the whole answer. */
  readonly name: string | undefined;
  readonly prompt: string;
  readonly isRequired: boolean;
  /** @throws Error that says what is expected */
  parse(text: string): unknown;
}

/** Returns the fields to ask for. */
export function fieldsOf(schema: unknown): AnswerField[] {
  const whole = asSchema(schema);
  const properties = whole["type"] === "object" ? asSchema(whole["properties"]) : {};
  const names = Object.keys(properties);
  if (names.length === 0) return [fieldOf(undefined, whole, true)];
  const required = Array.isArray(whole["required"]) ? (whole["required"] as unknown[]) : [];
  return names.map((name) => fieldOf(name, asSchema(properties[name]), required.includes(name)));
}

/** Returns the answer from the texts of all fields. An empty text leaves out a field that is not required. */
export function composeAnswer(fields: readonly AnswerField[], texts: readonly string[]): unknown {
  const values = fields.map((field, index) => ({ field, text: texts[index]?.trim() ?? "" }));
  const [only] = values;
  if (only?.field.name === undefined) return only?.field.parse(only.text);
  const given = values.filter(({ field, text }) => field.isRequired || text !== "");
  return Object.fromEntries(given.map(({ field, text }) => [field.name, field.parse(text)]));
}

/** Returns whether an answer was refused because its input no longer waits, and not because of its value. */
export function isNoLongerAsked(error: unknown): boolean {
  return error instanceof ApiError && (error.code === "conflict" || error.code === "not_found");
}

function fieldOf(name: string | undefined, schema: Schema, isRequired: boolean): AnswerField {
  const [kind, parse] = kindOf(schema);
  const label = name === undefined ? "" : `${name} `;
  const empty = schema["default"] === undefined ? "none" : JSON.stringify(schema["default"]);
  return { name, isRequired, parse, prompt: `${label}[${kind}]${isRequired ? "" : ` (empty: ${empty})`} ` };
}

function kindOf(schema: Schema): [kind: string, parse: (text: string) => unknown] {
  const { type, enum: choices } = schema;
  if (Array.isArray(choices)) return [choices.map(String).join(" | "), (text) => parseChoice(choices, text)];
  if (type === "boolean") return ["y/n", parseBoolean];
  if (type === "string") return ["text", (text) => text];
  if (type === "number" || type === "integer") return [type, parseNumber];
  return ["JSON", parseJson];
}

function parseChoice(choices: readonly unknown[], text: string): unknown {
  const found = choices.find((choice) => String(choice) === text);
  if (found === undefined) throw new Error(`expected one of: ${choices.map(String).join(", ")}`);
  return found;
}

function parseBoolean(text: string): boolean {
  const word = text.toLowerCase();
  if (["y", "yes", "true", "approve"].includes(word)) return true;
  if (["n", "no", "false", "reject"].includes(word)) return false;
  throw new Error("expected y or n");
}

function parseNumber(text: string): number {
  if (text === "" || !Number.isFinite(Number(text))) throw new Error("expected a number");
  return Number(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`expected JSON, for example "yes", 5 or {"approved": true}`);
  }
}

function asSchema(value: unknown): Schema {
  return typeof value === "object" && value !== null ? (value as Schema) : {};
}

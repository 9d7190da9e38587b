// The schema of a message's input as a form of MCP (elicitation): flat fields of text, numbers, choices and yes or no.

type Schema = Readonly<Record<string, unknown>>;

export interface Form {
  readonly schema: { type: "object"; properties: Record<string, object>; required: string[] };
  /** The form's only field, if the answer is that field's value and not the whole form. */
  readonly field: string | undefined;
}

const annotations = ["type", "title", "description", "default"];
const keywords: Readonly<Record<string, readonly string[]>> = {
  string: [...annotations, "minLength", "maxLength", "format", "enum"],
  number: [...annotations, "minimum", "maximum"],
  integer: [...annotations, "minimum", "maximum"],
  boolean: annotations,
};
const formats: readonly unknown[] = ["email", "uri", "date", "date-time"];
const objectKeywords = ["$schema", "type", "title", "description", "properties", "required", "additionalProperties"];

/** The name of the field of a form that asks for one value. */
const onlyField = "answer";

/** Returns undefined if a form cannot express everything that the schema demands. */
export function formOf(schema: Schema): Form | undefined {
  if (isField(schema)) {
    const properties = { [onlyField]: { ...schema } };
    return { schema: { type: "object", properties, required: [onlyField] }, field: onlyField };
  }
  const { type, properties, required = [] } = schema;
  if (type !== "object" || !hasOnly(schema, objectKeywords)) return undefined;
  if (!isObject(properties) || !Array.isArray(required)) return undefined;
  if (!Object.values(properties).every((field) => isObject(field) && isField(field))) return undefined;
  if (!required.every((name) => typeof name === "string" && Object.hasOwn(properties, name))) return undefined;
  const fields = properties as Record<string, object>;
  return { schema: { type, properties: fields, required: required as string[] }, field: undefined };
}

/** Returns the input's value from what the person filled in. The client sends `field`, which can be any text. */
export function valueOf(content: Readonly<Record<string, unknown>>, field: string | undefined): unknown {
  if (field === undefined) return content;
  return Object.hasOwn(content, field) ? content[field] : undefined;
}

function isField(schema: Schema): boolean {
  const { type, format, enum: choices, default: preset } = schema;
  const known = typeof type === "string" && Object.hasOwn(keywords, type) ? keywords[type] : undefined;
  if (known === undefined || !hasOnly(schema, known)) return false;
  // A client refuses the whole form because of a preset of another type, which JSON Schema allows.
  if (preset !== undefined && typeof preset !== (type === "integer" ? "number" : type)) return false;
  if (format !== undefined && !formats.includes(format)) return false;
  return choices === undefined || (Array.isArray(choices) && choices.every((choice) => typeof choice === "string"));
}

function hasOnly(schema: Schema, known: readonly string[]): boolean {
  return Object.keys(schema).every((keyword) => known.includes(keyword));
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Makes a form from the schema of an agent's question, if the schema is simple enough. Draws nothing.

type Schema = Readonly<Record<string, unknown>>;

export interface AnswerField {
  readonly name: string;
  readonly label: string;
  readonly kind: "yes_no" | "choice" | "number" | "text";
  readonly choices: readonly string[];
  readonly isRequired: boolean;
  /** The default of the schema, as text; empty if it has none. */
  readonly initial: string;
}

/** The most fields of a form. A schema with more fields is answered as JSON. */
const fieldsMax = 12;

/** Returns the fields of a flat object, required ones first, or undefined if the answer must be JSON. */
export function answerFields(schema: Schema): readonly AnswerField[] | undefined {
  const properties = Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, Schema>>);
  if (schema["type"] !== "object" || properties.length === 0 || properties.length > fieldsMax) return undefined;
  const required = (schema["required"] ?? []) as readonly string[];
  const fields = properties.map(([name, property]) => fieldOf(name, property, required.includes(name)));
  if (!fields.every((field) => field !== undefined)) return undefined;
  return fields.toSorted((a, b) => Number(b.isRequired) - Number(a.isRequired));
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): AnswerField | undefined {
  const label = String(schema["title"] ?? schema["description"] ?? name.replaceAll("_", " "));
  const choices = Array.isArray(schema["enum"]) ? (schema["enum"] as unknown[]) : undefined;
  const isPlain = typeof schema["default"] === "number" || typeof schema["default"] === "string";
  const initial = isPlain ? String(schema["default"]) : "";
  const field = { name, label, isRequired, initial, choices: [] };
  if (choices !== undefined) {
    if (!choices.every((choice) => typeof choice === "string")) return undefined;
    return { ...field, kind: "choice", choices };
  }
  if (schema["type"] === "boolean") return { ...field, kind: "yes_no", choices: ["yes", "no"] };
  if (schema["type"] === "number" || schema["type"] === "integer") return { ...field, kind: "number" };
  return schema["type"] === "string" ? { ...field, kind: "text" } : undefined;
}

/** Returns the entered values as the JSON that the agent asked for, without empty optional fields. */
export function buildAnswer(fields: readonly AnswerField[], entered: Readonly<Record<string, string>>): unknown {
  const pairs = fields.flatMap((field): [string, unknown][] => {
    const text = entered[field.name] ?? field.initial;
    if (text === "" && !(field.isRequired && field.kind === "text")) return [];
    return [[field.name, valueOf(field, text)]];
  });
  return Object.fromEntries(pairs);
}

function valueOf({ kind }: AnswerField, text: string): unknown {
  if (kind === "yes_no") return text === "yes";
  return kind === "number" ? Number(text) : text;
}

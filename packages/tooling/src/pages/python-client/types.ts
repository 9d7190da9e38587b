// JSON Schemas as Python types: each object becomes a TypedDict, and everything else a type expression.

import { componentOf, isRecord, rowsOf, valuesOf, withAbsentFields, type JsonSchema } from "../api-document.ts";

/** Collects the TypedDicts that expressions name. */
export interface PythonTypes {
  /** The type of a schema. `name` is for an object without its own name. */
  expression(schema: JsonSchema, name: string): string;
  /** All classes defined so far, ordered by name. */
  classes(): string;
}

export function pythonTypes(components: Readonly<Record<string, JsonSchema>>): PythonTypes {
  const classes = new Map<string, string>();
  const expression = (schema: JsonSchema, name: string): string => expressionOf(schema, name, define);
  const define = (name: string, schema: JsonSchema): string => {
    if (!classes.has(name)) {
      // Added before its fields, which may refer to it.
      classes.set(name, "");
      classes.set(name, classOf(name, schema, expression));
    }
    return name;
  };
  for (const [name, schema] of Object.entries(withAbsentFields(components))) {
    if (isRecord(schema)) define(name, schema);
    else classes.set(name, aliasOf(name, expression(schema, name)));
  }
  return {
    expression,
    classes: () =>
      [...classes]
        .sort(byKindAndName)
        .map(([, text]) => text)
        .join("\n\n"),
  };
}

/** Aliases come after classes, because they are evaluated in order. */
function byKindAndName([left, leftText]: [string, string], [right, rightText]: [string, string]): number {
  const rank = (text: string): number => (text.startsWith("class ") ? 0 : 1);
  return rank(leftText) - rank(rightText) || (left < right ? -1 : 1);
}

/** Names are quoted, because an alias may come before the types that it names. */
function aliasOf(name: string, alternatives: string): string {
  const arms = alternatives.split(" | ").map((arm) => JSON.stringify(arm));
  return `${name} = Union[${arms.join(", ")}]\n`;
}

type Define = (name: string, schema: JsonSchema) => string;

function expressionOf(schema: JsonSchema, name: string, define: Define): string {
  const { $ref: reference, type, enum: words } = schema;
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  const inner = (part: JsonSchema, as: string): string => expressionOf(part, as, define);
  if (typeof reference === "string") return componentOf(reference);
  // Any string except the types of the other arms, or no value.
  if ("not" in schema) return type === "string" ? "UnknownType" : "Never";
  if (Array.isArray(words)) return `Literal[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
  if ("const" in schema) return `Literal[${schema["const"] === true ? "True" : JSON.stringify(schema["const"])}]`;
  if (isRecord(schema)) return pageOf(schema, name, define) ?? define(name, schema);
  if (Array.isArray(alternatives)) {
    const parts = (alternatives as JsonSchema[]).map((part, index) => inner(part, `${name}${armName(part, index)}`));
    return [...new Set(parts)].join(" | ");
  }
  if (Array.isArray(type)) return type.map((one: string) => inner({ type: one }, name)).join(" | ");
  if (type === "array") return `list[${inner((schema["items"] ?? {}) as JsonSchema, singular(name))}]`;
  return type === "object" ? mapOf(schema, name, inner) : (plainTypes[String(type)] ?? "Any");
}

const plainTypes: Readonly<Record<string, string>> = {
  boolean: "bool",
  integer: "int",
  null: "None",
  number: "float",
  string: "str",
};

function mapOf(schema: JsonSchema, name: string, inner: (part: JsonSchema, as: string) => string): string {
  const values = valuesOf(schema);
  return `dict[str, ${values === undefined ? "Any" : inner(values, name)}]`;
}

/** All lists are a page of rows. */
function pageOf(schema: JsonSchema, name: string, define: Define): string | undefined {
  const rows = rowsOf(schema);
  return rows && `Page[${expressionOf(rows, `${name}Row`, define)}]`;
}

/** `Text` for `{type: "text", …}`, otherwise a number. */
function armName(schema: JsonSchema, index: number): string {
  const properties = (schema["properties"] ?? {}) as Record<string, JsonSchema>;
  const words = (properties["type"]?.["enum"] ?? properties["kind"]?.["enum"]) as string[] | undefined;
  return words?.[0] === undefined ? String(index + 1) : pascal(words[0]);
}

const singular = (name: string): string => (name.endsWith("s") ? name.slice(0, -1) : name);

/** `file_id` → `FileId` */
export function pascal(name: string): string {
  return name.replace(/(?:^|[^A-Za-z0-9])([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const pythonKeywords = new Set(
  `False None True and as assert async await break class continue def del elif else except finally for from global if
  import in is lambda nonlocal not or pass raise return try while with yield`.split(/\s+/),
);

/** @throws Error for a member whose name is a keyword of Python */
function classOf(name: string, schema: JsonSchema, expression: PythonTypes["expression"]): string {
  const required = (schema["required"] ?? []) as readonly string[];
  const members = Object.entries(schema["properties"] as Record<string, JsonSchema>).map(([member, part]) => {
    if (pythonKeywords.has(member)) throw new Error(`${name}.${member}: a keyword of Python cannot be a member`);
    const type = expression(part, `${name}${pascal(member)}`);
    return `    ${member}: ${required.includes(member) ? type : `NotRequired[${type}]`}`;
  });
  return `class ${name}(TypedDict):\n${members.length === 0 ? "    pass" : members.join("\n")}\n`;
}

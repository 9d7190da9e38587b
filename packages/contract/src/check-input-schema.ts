// The JSON Schemas that agents give for answers to their inputs. Agents are untrusted, so only listed keywords are
// allowed, and none can make a check run for long.

import { limits, type FieldIssue } from "@dari/domain";
import { Ajv2020 } from "ajv/dist/2020.js";
import { findCostProblem } from "./estimate-schema-cost.ts";
import { countJson, isWithin } from "./measure-json.ts";
import { findUnstorableText } from "./find-unstorable-text.ts";
import { toIssues } from "./validate-value.ts";

/** Keywords whose values are not schemas. Without patterns and references, whose checks can take any time. */
const plainKeywords: ReadonlySet<string> = new Set([
  "$schema",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "format",
  "type",
  "enum",
  "const",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "required",
]);
const schemaKeywords: ReadonlySet<string> = new Set(["items", "additionalProperties", "not"]);
const listKeywords: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const mapKeyword = "properties";

/** The keywords that the schema of an input may have, in the order of their names. */
export const inputSchemaKeywords: readonly string[] = [
  ...plainKeywords,
  ...schemaKeywords,
  ...listKeywords,
  mapKeyword,
].sort();

/** Up to this number of comparisons, all problems of an answer are listed; above it, only the first. */
const listAllStepsMax = 10_000;

type Use = "examine" | "list all" | "find first";

/** Created on first use, because the schemas take a while to compile. */
const checkers = new Map<Use, Ajv2020>();

function checkerOf(use: Use): Ajv2020 {
  let ajv = checkers.get(use);
  if (ajv === undefined) {
    const options = { allErrors: use !== "find first", validateFormats: false, verbose: true, logger: false } as const;
    // JSON can contain numbers that are read as infinite, and these would be stored as null. The schema is checked
    // once, when the input is asked.
    ajv = new Ajv2020({ ...options, strict: false, strictNumbers: true, validateSchema: use === "examine" });
    checkers.set(use, ajv);
  }
  return ajv;
}

/** Returns why answers cannot be checked against this schema, for the agent's author; undefined if they can. */
export function findInputSchemaProblem(schema: Readonly<Record<string, unknown>>): string | undefined {
  const { inputSchemaBytes: bytes, inputSchemaValues: values, agentJsonDepth: depth } = limits;
  if (!isWithin(schema, { bytes, values, depth })) {
    return `the schema has more than ${bytes} bytes or ${values} values, or is nested deeper than ${depth} levels`;
  }
  // Unstorable text would be replaced when stored, and names could become equal.
  const [unstorable] = findUnstorableText(schema, 1);
  if (unstorable !== undefined) return `the schema's ${unstorable.path} ${unstorable.message}`;
  const problem = keywordProblem(schema, "schema") ?? findCostProblem(schema);
  if (problem !== undefined) return problem;
  try {
    withCheck(schema, "examine", () => undefined);
    return undefined;
  } catch (error) {
    return `the schema is not valid: ${(error as Error).message.replace(/^schema is invalid: /, "").slice(0, 500)}`;
  }
}

/** Returns the problems of an answer, at most 100, each with its path below `value`. The schema must be valid. */
export function validateAnswer(schema: Readonly<Record<string, unknown>>, answer: unknown): FieldIssue[] {
  const schemaValues = countJson(schema).values;
  const steps = schemaValues * countJson(answer).values;
  if (steps > limits.inputAnswerSteps) {
    const most = Math.floor(limits.inputAnswerSteps / schemaValues);
    return [
      { path: "value", message: `expected at most ${most} values: more take too long to check with this schema` },
    ];
  }
  const listsAll = steps <= listAllStepsMax;
  return withCheck(schema, listsAll ? "list all" : "find first", (check) => {
    if (check(answer) === true) return [];
    const issues = toIssues(check.errors ?? []);
    return issues.map(({ path, message }) => ({ path: below(path), message }));
  });
}

function below(path: string): string {
  if (path === "body") return "value";
  return path.startsWith("[") ? `value${path}` : `value.${path}`;
}

/** Compiles and then forgets the result, because an agent can give another schema with every message. */
function withCheck<T>(
  { $schema: _dialect, ...schema }: Readonly<Record<string, unknown>>,
  use: Use,
  work: (check: ReturnType<Ajv2020["compile"]>) => T,
): T {
  const ajv = checkerOf(use);
  try {
    return work(ajv.compile(schema));
  } finally {
    ajv.removeSchema(schema);
  }
}

function keywordProblem(schema: unknown, path: string): string | undefined {
  if (typeof schema === "boolean") return undefined;
  if (!isMap(schema)) return `${path} is not a schema`;
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${path}.${keyword}`;
    if (plainKeywords.has(keyword)) continue;
    const problem = nestedProblem(keyword, value, at);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function nestedProblem(keyword: string, value: unknown, at: string): string | undefined {
  if (schemaKeywords.has(keyword)) return keywordProblem(value, at);
  if (listKeywords.has(keyword)) {
    if (!Array.isArray(value)) return `${at} is not a list of schemas`;
    return firstOf(value.map((one, index) => [one, `${at}[${index}]`]));
  }
  if (keyword !== mapKeyword) return `${at} is not supported; supported are ${inputSchemaKeywords.join(", ")}`;
  if (!isMap(value)) return `${at} is not a map of schemas`;
  if (Object.hasOwn(value, "__proto__")) return `${at} names __proto__`;
  return firstOf(Object.entries(value).map(([name, one]) => [one, `${at}.${name}`]));
}

function firstOf(schemas: readonly (readonly [schema: unknown, path: string])[]): string | undefined {
  for (const [schema, path] of schemas) {
    const problem = keywordProblem(schema, path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Checks a value against a schema and describes every problem in words.

import type { FieldIssue } from "@dari/domain";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import type { TSchema } from "typebox";
import { hasMoreValues, isWithin, type JsonBounds } from "./measure-json.ts";
import { findUnstorableText } from "./find-unstorable-text.ts";

const encoder = new TextEncoder();

function createAjv(allErrors: boolean): Ajv {
  const ajv = new Ajv({ allErrors, discriminator: true, strict: false, verbose: true });
  addFormats.default(ajv, ["date-time", "email"]);
  ajv.addKeyword({
    keyword: "x-max-bytes",
    type: "string",
    schemaType: "number",
    error: { message: ({ schemaCode }) => `expected at most ${String(schemaCode)} bytes` },
    // UTF-8 takes at most three bytes per UTF-16 unit, so most texts need no encoding.
    validate: (max: number, text: string) => text.length * 3 <= max || encoder.encode(text).length <= max,
  });
  ajv.addKeyword({
    keyword: "x-integer-text",
    type: "string",
    schemaType: "object",
    error: {
      message: ({ schema }) => `expected an integer from ${String(schema.minimum)} to ${String(schema.maximum)}`,
    },
    validate: ({ minimum, maximum }: { minimum: number; maximum: number }, text: string) =>
      /^(0|[1-9][0-9]{0,15})$/.test(text) && Number(text) >= minimum && Number(text) <= maximum,
  });
  ajv.addKeyword({
    keyword: "x-json",
    schemaType: "object",
    error: {
      message: ({ schema }) =>
        `expected JSON of at most ${String(schema.bytes)} bytes and ${String(schema.values)} values, ` +
        `nested at most ${String(schema.depth)} levels deep`,
    },
    validate: (bounds: JsonBounds, value: unknown) => isWithin(value, bounds),
  });
  return ajv;
}

interface Checker {
  readonly ajv: Ajv;
  readonly compiled: WeakMap<TSchema, ValidateFunction>;
}

const everyProblem: Checker = { ajv: createAjv(true), compiled: new WeakMap() };
const firstProblem: Checker = { ajv: createAjv(false), compiled: new WeakMap() };

/** More problems are not listed: a person reads a few, and a malicious body has thousands. */
const issuesMax = 100;
/** Above it, one problem is listed: ajv would describe the problems of all members before 100 are chosen. */
const listAllValuesMax = 10_000;

/**
 * Returns the problems of `value`, at most 100, each with a path such as `parts[0].file_id` (`body` for the value
 * itself). Empty if the value is valid. Also refuses text that cannot be stored: NUL and lone surrogates. If the value
 * has more than 10,000 members, returns one problem.
 */
export function validate(schema: TSchema, value: unknown): FieldIssue[] {
  if (hasMoreValues(value, listAllValuesMax)) {
    const first = findFirstIssue(schema, value);
    return first === undefined ? [] : [first];
  }
  return [...issuesBy(everyProblem, schema, value), ...findUnstorableText(value, issuesMax)].slice(0, issuesMax);
}

/** Returns one problem of `value`, in time that does not depend on how many there are; undefined if it is valid. */
export function findFirstIssue(schema: TSchema, value: unknown): FieldIssue | undefined {
  return issuesBy(firstProblem, schema, value)[0] ?? findUnstorableText(value, 1)[0];
}

function issuesBy(checker: Checker, schema: TSchema, value: unknown): FieldIssue[] {
  const check = compile(checker, schema);
  return check(value) ? [] : toIssues(check.errors ?? []);
}

function compile({ ajv, compiled }: Checker, schema: TSchema): ValidateFunction {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const fresh = ajv.compile(schema);
  compiled.set(schema, fresh);
  return fresh;
}

/** Describes the first 100 of ajv's errors, each problem once. Returns one at least if there is an error. */
export function toIssues(errors: readonly ErrorObject[]): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const seen = new Set<string>();
  const explained = errors.filter((error) => isAlternative(error) && expectedOf(error) !== undefined);
  for (const error of errors) {
    if (isNoise(error, explained)) continue;
    const issue = describe(error);
    const key = `${issue.path}\n${issue.message}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (issues.push(issue) === issuesMax) break;
  }
  // A check that ends at its first problem can have found only what another error would have said.
  return issues.length > 0 ? issues : errors.slice(0, 1).map(describe);
}

function describe(error: ErrorObject): FieldIssue {
  return { path: pathOf(error), message: messageOf(error) };
}

function isAlternative(error: ErrorObject): boolean {
  return error.keyword === "anyOf" || error.keyword === "oneOf";
}

/**
 * Returns whether another error already says this: in an alternative with its own error, about a name, or about a
 * missing tag.
 */
function isNoise(error: ErrorObject, explained: readonly ErrorObject[]): boolean {
  if (error.keyword === "propertyNames" || error.keyword === "if") return true;
  if (error.keyword === "discriminator" && error.params["tagValue"] === undefined) return true;
  return explained.some(
    (whole) => whole.instancePath === error.instancePath && error.schemaPath.startsWith(`${whole.schemaPath}/`),
  );
}

/** Returns the path of the problem: of the missing or unknown member, not of its parent. */
function pathOf(error: ErrorObject): string {
  const segments = error.instancePath.split("/").slice(1).map(unescapePointer);
  const member = memberOf(error);
  if (member !== undefined) segments.push(member);
  const path = segments.map((segment) => (/^\d+$/.test(segment) ? `[${segment}]` : `.${segment}`)).join("");
  return path === "" ? "body" : path.replace(/^\./, "");
}

function memberOf(error: ErrorObject): string | undefined {
  const params: Record<string, unknown> = error.params;
  const member = error.propertyName ?? params["missingProperty"] ?? params["additionalProperty"];
  if (error.keyword === "discriminator") return String(params["tag"]);
  return typeof member === "string" ? member : undefined;
}

function unescapePointer(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}

function expectedOf(error: ErrorObject): string | undefined {
  const schema: unknown = error.parentSchema;
  if (typeof schema !== "object" || schema === null || !("x-expected" in schema)) return undefined;
  return String(schema["x-expected"]);
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a string",
  integer: "an integer",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

function messageOf(error: ErrorObject): string {
  const params: Record<string, unknown> = error.params;
  const limit = String(params["limit"]);
  switch (error.keyword) {
    case "required":
      return "field is required";
    case "additionalProperties":
      return "unsupported field";
    case "false schema":
      return "unsupported together with the other fields";
    case "type":
      return `expected ${typeNames(params["type"])}`;
    case "enum":
      return expectedWords(params["allowedValues"]);
    case "const":
      return expectedWords([params["allowedValue"]]);
    case "discriminator":
      return discriminatorMessage(error);
    case "pattern":
    case "anyOf":
    case "oneOf":
      return `expected ${expectedOf(error) ?? "another form"}`;
    case "minLength":
      return limit === "1" ? "expected a non-empty string" : `expected at least ${limit} characters`;
    case "maxLength":
      return `expected at most ${limit} characters`;
    case "minItems":
      return `expected at least ${limit} ${limit === "1" ? "item" : "items"}`;
    case "maxItems":
      return `expected at most ${limit} items`;
    case "minProperties":
      return `expected at least ${limit} ${limit === "1" ? "field" : "fields"}`;
    case "maxProperties":
      return `expected at most ${limit} pairs`;
    case "minimum":
      return `expected at least ${limit}`;
    case "maximum":
      return `expected at most ${limit}`;
    case "uniqueItems":
      return "expected no duplicates";
    case "format":
      return params["format"] === "email" ? "expected an e-mail address" : "expected an RFC 3339 time";
    default:
      return error.message ?? "invalid";
  }
}

function typeNames(expected: unknown): string {
  const types: unknown[] = Array.isArray(expected) ? expected : String(expected).split(",");
  return types
    .map((type) => typeWords[String(type)] ?? String(type))
    .join(", ")
    .replace(/, ([^,]*)$/, " or $1");
}

function expectedWords(values: unknown): string {
  const words = (Array.isArray(values) ? values : [values]).map((value) => `'${String(value)}'`);
  return words.length === 1 ? `expected ${words.join("")}` : `expected one of ${words.join(", ")}`;
}

/** Lists the tags of the branches: ajv's own message names only the tag that is wrong. */
function discriminatorMessage(error: ErrorObject): string {
  const branches: unknown = error.parentSchema?.["oneOf"];
  const tag = String(error.params["tag"]);
  const words = (Array.isArray(branches) ? branches : []).flatMap((branch: TagBranch) => {
    return branch.properties?.[tag]?.enum ?? [];
  });
  return expectedWords(words);
}

interface TagBranch {
  readonly properties?: Readonly<Record<string, { readonly enum?: readonly string[] }>>;
}

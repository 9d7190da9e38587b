// What an input's schema may contain, and the errors for an answer that does not satisfy it.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { findInputSchemaProblem, validateAnswer } from "./check-input-schema.ts";

type Schema = Readonly<Record<string, unknown>>;

function nested(levels: number): Schema {
  return levels === 0 ? {} : { not: nested(levels - 1) };
}

test.each<[string, Schema]>([
  ["anything", {}],
  ["a choice", { type: "string", enum: ["yes", "no"] }],
  ["an object", { type: "object", properties: { "a b": { type: ["integer", "null"] } }, additionalProperties: false }],
  ["a tuple", { prefixItems: [{ const: 1 }, { anyOf: [{ type: "string" }, { type: "null" }] }], items: false }],
  ["what zod writes", { $schema: "https://json-schema.org/draft/2020-12/schema", type: "number", minimum: 0 }],
  ["another dialect's name", { $schema: "http://json-schema.org/draft-07/schema#", type: "number" }],
  ["annotations", { title: "t", description: "d", default: 1, examples: [1], format: "email", $comment: "c" }],
])("%s is accepted", (_title, schema) => {
  expect(findInputSchemaProblem(schema)).toBeUndefined();
});

test.each<[string, Schema, RegExp]>([
  ["a pattern", { properties: { a: { pattern: "(a+)+$" } } }, /^schema\.properties\.a\.pattern is not supported/],
  ["a reference", { $ref: "#" }, /^schema\.\$ref is not supported; supported are .*additionalProperties, allOf/],
  ["a reference within a list", { anyOf: [{}, { $dynamicRef: "#" }] }, /^schema\.anyOf\[1\]\.\$dynamicRef is not/],
  ["a name of its own", { $id: "https://example.com/a" }, /^schema\.\$id is not supported/],
  ["uniqueItems, which compares all with all", { uniqueItems: true }, /^schema\.uniqueItems is not supported/],
  ["a type that is none", { type: "text" }, /^the schema is not valid: data\/type must be/],
  ["a bound that is none", { minLength: -1 }, /^the schema is not valid: data\/minLength/],
  ["properties that are none", { properties: [] }, /^schema\.properties is not a map of schemas/],
  ["a list that is none", { anyOf: {} }, /^schema\.anyOf is not a list of schemas/],
  ["a schema that is none", { items: [1] }, /^schema\.items is not a schema/],
  ["the prototype", { properties: JSON.parse('{"__proto__": {}}') as unknown }, /__proto__/],
  ["too much text", { description: "x".repeat(limits.inputSchemaBytes) }, /more than 16384 bytes or 1000 values/],
  ["too many values", { enum: Array(1_000).fill(0) }, /more than 16384 bytes or 1000 values/],
  ["too many levels", nested(129), /nested deeper than 128 levels/],
  ["schemas too deep in each other", nested(16), /schemas in each other deeper than 16 levels/],
  ["too many rules", { anyOf: Array(128).fill({ type: "null" }) }, /has 258 schemas and keywords, of at most 256/],
  ["too many in oneOf", { oneOf: Array(85).fill(true) }, /has 257 schemas and keywords/],
  ["too many length bounds", { allOf: Array(49).fill({ maxLength: 9 }) }, /has 49 length bounds, of at most 48/],
  ["too many counts of names", { allOf: Array(13).fill({ maxProperties: 9 }) }, /has 52 length bounds/],
  ["a bound beyond all numbers", JSON.parse('{"maximum": 1e999}') as Schema, /^the schema is not valid: data\/maximum/],
  ["a name that is stored as another", { required: ["a\0"] }, /^the schema's required\[0\] must not contain NUL/],
])("%s is refused", (_title, schema, problem) => {
  expect(findInputSchemaProblem(schema)).toMatch(problem);
});

describe("an answer", () => {
  const schema = {
    type: "object",
    properties: {
      approved: { type: "boolean" },
      note: { type: "string", maxLength: 3 },
      list: { items: { const: 1 } },
    },
    required: ["approved"],
    additionalProperties: false,
  };

  test("that satisfies the schema has no problem", () => {
    expect(validateAnswer(schema, { approved: true, note: "ok", list: [1, 1] })).toEqual([]);
    expect(validateAnswer({}, null)).toEqual([]);
  });

  test("is not an infinite number, which would be stored as null", () => {
    const issues = [{ path: "value", message: "expected a number" }];
    expect(validateAnswer({ type: "number" }, JSON.parse("1e999"))).toEqual(issues);
  });

  test("lists all problems, below `value`", () => {
    expect(validateAnswer(schema, { note: "long", list: [1, 2], more: 1 })).toEqual([
      { path: "value.approved", message: "field is required" },
      { path: "value.more", message: "unsupported field" },
      { path: "value.note", message: "expected at most 3 characters" },
      { path: "value.list[1]", message: "expected '1'" },
    ]);
    expect(validateAnswer(schema, "yes")).toEqual([{ path: "value", message: "expected an object" }]);
    expect(validateAnswer({ items: { type: "null" } }, [1])).toEqual([{ path: "value[0]", message: "expected null" }]);
  });

  test("has only the first problem if there is much to compare", () => {
    const branches = Array.from({ length: 50 }, (_, n) => ({ const: n }));
    const answer = Array(400).fill(-1);
    const issues = validateAnswer({ items: { anyOf: [...branches, { const: -1 }] } }, [...answer, "x"]);
    expect(issues.map(({ path }) => path)).toContain("value[400]");
    expect(issues.length).toBeLessThanOrEqual(100);
  });

  test("is refused if comparing it would take long, with the allowed number", () => {
    const message = "expected at most 51 values: more take too long to check with this schema";
    expect(validateAnswer({ items: { enum: Array(975).fill(0) } }, Array(50).fill(0))).toEqual([]);
    expect(validateAnswer({ items: { enum: Array(975).fill(0) } }, Array(51).fill(0))).toEqual([
      { path: "value", message },
    ]);
  });
});

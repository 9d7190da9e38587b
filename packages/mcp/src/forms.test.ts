// Which schemas of inputs a form can show.

import { describe, expect, test } from "@jest/globals";
import { formOf, valueOf } from "./forms.ts";

describe("a schema that a form can show", () => {
  test.each([
    { type: "string", minLength: 1, maxLength: 9, format: "email", title: "t", description: "d", default: "a@b.c" },
    { type: "string", enum: ["a", "b"] },
    { type: "integer", minimum: 1, maximum: 9, default: 3 },
    { type: "number" },
    { type: "boolean", default: false },
  ])("is one value: %j", (schema) => {
    const form = formOf(schema);
    expect(form).toEqual({
      schema: { type: "object", properties: { answer: schema }, required: ["answer"] },
      field: "answer",
    });
    expect(valueOf({ answer: "x" }, form?.field)).toBe("x");
  });

  test("is a flat object", () => {
    const properties = { approved: { type: "boolean" }, why: { type: "string" } };
    const form = formOf({ type: "object", properties, required: ["approved"], additionalProperties: false });
    expect(form).toEqual({ schema: { type: "object", properties, required: ["approved"] }, field: undefined });
    expect(valueOf({ approved: true }, form?.field)).toEqual({ approved: true });
  });
});

test.each([
  {},
  { type: "string", pattern: "^a" },
  { type: "string", format: "ipv4" },
  { type: "string", enum: [1, 2] },
  { type: "string", default: 1 },
  { type: ["string", "null"] },
  { type: "number", multipleOf: 2 },
  { type: "constructor" },
  { type: "array", items: { type: "string" } },
  { type: "object" },
  { type: "object", properties: { a: { type: "object", properties: {} } } },
  { type: "object", properties: { a: true } },
  { type: "object", properties: { a: { type: "string" } }, required: ["b"] },
  { type: "object", properties: {}, required: ["constructor"] },
  { type: "object", properties: { a: { type: "string" } }, minProperties: 1 },
  { anyOf: [{ type: "string" }, { type: "number" }] },
  { $ref: "#/$defs/a", $defs: { a: { type: "string" } } },
])("a schema that demands more is not shown: %j", (schema) => {
  expect(formOf(schema)).toBeUndefined();
});

test("a field that the person did not fill in has no value, whatever the client calls it", () => {
  for (const field of ["answer", "constructor", "__proto__"]) expect(valueOf({}, field)).toBeUndefined();
});

// Tests the fields of an answer.

import { expect, test } from "@jest/globals";
import { composeAnswer, fieldsOf } from "./answer.ts";

const approval = {
  type: "object",
  properties: { approved: { type: "boolean" }, reason: { type: "string" } },
  required: ["approved"],
};

test("an approval asks for its fields, and leaves out what is empty and not required", () => {
  const fields = fieldsOf(approval);
  expect(fields.map(({ prompt }) => prompt)).toEqual(["approved [y/n] ", "reason [text] (empty: none) "]);
  expect(composeAnswer(fields, ["y", ""])).toEqual({ approved: true });
  expect(composeAnswer(fields, ["No", "too expensive"])).toEqual({ approved: false, reason: "too expensive" });
  expect(() => composeAnswer(fields, ["maybe", ""])).toThrow("expected y or n");
});

test("a field with a default names it, and an empty text leaves the field to it", () => {
  const fields = fieldsOf({ type: "object", properties: { requests: { type: "integer", default: 6 } } });
  expect(fields.map(({ prompt }) => prompt)).toEqual(["requests [integer] (empty: 6) "]);
  expect(composeAnswer(fields, [""])).toEqual({});
});

test.each([
  [{ type: "boolean" }, "yes", true],
  [{ type: "string" }, " as it is ", "as it is"],
  [{ type: "integer" }, "42", 42],
  [{ enum: ["small", 2] }, "2", 2],
  [{ type: "array" }, "[1]", [1]],
  [true, '"x"', "x"],
])("%j is answered by %j", (schema, text, value) => expect(composeAnswer(fieldsOf(schema), [text])).toEqual(value));

test.each([
  [{ type: "number" }, "many", "expected a number"],
  [{ enum: ["a", "b"] }, "c", "expected one of: a, b"],
  [{ type: "object" }, "yes", "expected JSON"],
])("%j refuses %j", (schema, text, why) => expect(() => composeAnswer(fieldsOf(schema), [text])).toThrow(why));

// Estimates the cost of checking an answer against a schema. An API process does nothing else during the check.

import { limits } from "@dari/domain";

/** Keywords that describe and check nothing. */
const annotations: ReadonlySet<string> = new Set([
  "$schema",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
  "format",
]);
const lengthBounds: Readonly<Record<string, number>> = {
  minLength: 1,
  maxLength: 1,
  minProperties: 4,
  maxProperties: 4,
};

interface Cost {
  rules: number;
  lengths: number;
  depth: number;
}

/** Returns why checking against this schema takes too long, or undefined. For schemas with supported keywords only. */
export function findCostProblem(schema: unknown): string | undefined {
  const { inputSchemaRules, inputSchemaLengthBounds, inputSchemaDepth } = limits;
  const cost: Cost = { rules: 0, lengths: 0, depth: 0 };
  addCost(cost, schema, 1);
  if (cost.depth > inputSchemaDepth)
    return `the schema has schemas in each other deeper than ${inputSchemaDepth} levels`;
  if (cost.rules > inputSchemaRules) {
    return (
      `the schema has ${cost.rules} schemas and keywords, of at most ${inputSchemaRules}; title, description and ` +
      `other annotations are not counted, schemas in oneOf thrice; many constants cost least in one enum`
    );
  }
  if (cost.lengths > inputSchemaLengthBounds) {
    return (
      `the schema has ${cost.lengths} length bounds, of at most ${inputSchemaLengthBounds}; ` +
      `each minLength and maxLength is one, each minProperties and maxProperties four`
    );
  }
  return undefined;
}

function addCost(cost: Cost, schema: unknown, level: number): void {
  cost.rules += 1;
  cost.depth = Math.max(cost.depth, level);
  if (typeof schema !== "object" || schema === null) return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (annotations.has(keyword)) continue;
    // Each branch also checks that no other one matches, so the compiled size grows faster than their number.
    cost.rules += keyword === "oneOf" ? 1 + 2 * (value as unknown[]).length : 1;
    cost.lengths += lengthBounds[keyword] ?? 0;
    for (const each of schemasIn(keyword, value)) addCost(cost, each, level + 1);
  }
}

function schemasIn(keyword: string, value: unknown): readonly unknown[] {
  if (["anyOf", "oneOf", "allOf", "prefixItems"].includes(keyword)) return value as unknown[];
  if (keyword === "properties") return Object.values(value as object);
  return ["items", "additionalProperties", "not"].includes(keyword) ? [value] : [];
}

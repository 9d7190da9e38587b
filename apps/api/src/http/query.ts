// Reads a query string by the route's schema, and the page that lists are asked for.

import { validate, type Route } from "@dari/contract";
import { invalidField, type Page } from "@dari/control";
import { AppError, limits } from "@dari/domain";

type Query = Readonly<Partial<Record<string, string>>>;

const anyObject = { type: "object" };

/** @throws AppError `invalid` with every problem, also for a parameter that is given twice. */
export function readQuery(route: Route, raw: Readonly<Record<string, unknown>>): Query {
  // A null prototype comes from the query parser; the validator expects a plain object.
  const query = { ...raw };
  const issues = validate(route.query ?? anyObject, query);
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== "string" && !issues.some((issue) => issue.path === name)) {
      issues.push({ path: name, message: "expected one value" });
    }
  }
  if (issues.length > 0) throw new AppError("invalid", "the query is not valid", { issues });
  return query as Query;
}

export function readPage(query: Query): Page {
  return { limit: readLimit(query), after: query["after"] };
}

export function readLimit(query: Query): number {
  const limit = Number(query["limit"] ?? limits.listLimitDefault);
  if (limit > limits.listLimitMax) throw invalidField("limit", `expected a number from 1 to ${limits.listLimitMax}`);
  return limit;
}

/** `?cancel=1` and its kin. */
export function isOn(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

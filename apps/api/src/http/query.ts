// Reads a query string by the route's schema, and the paging parameters of lists.

import { isUtf8 } from "node:buffer";
import { validate, type Route } from "@dari/contract";
import type { Page } from "@dari/db";
import { AppError, invalidField, limits } from "@dari/domain";
import type { Request } from "express";

type Query = Readonly<Partial<Record<string, string>>>;

const anyObject = { type: "object" };

/** @throws AppError `invalid` with every problem, also for a parameter that occurs twice. */
export function readQuery(route: Route, raw: Readonly<Record<string, unknown>>): Query {
  // The query parser makes an object with a null prototype; the validator expects a plain one.
  const query = { ...raw };
  const repeatable = repeatableNames(route);
  for (const name of repeatable) if (typeof query[name] === "string") query[name] = [query[name]];
  const issues = validate(route.query ?? anyObject, query);
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== "string" && !repeatable.includes(name) && !issues.some((issue) => issue.path === name)) {
      issues.push({ path: name, message: "expected one value" });
    }
  }
  if (issues.length > 0) throw new AppError("invalid", "the query is invalid", { issues });
  return query as Query;
}

function repeatableNames(route: Route): string[] {
  const properties = (route.query as { properties?: Record<string, { type?: string }> } | undefined)?.properties ?? {};
  return Object.keys(properties).filter((name) => properties[name]?.type === "array");
}

/** Returns whether a query has the parameter `agent_id`. Others are not read. */
export function namesAgent(query: Route["query"]): boolean {
  return query !== undefined && "agent_id" in ((query as { readonly properties?: object }).properties ?? {});
}

/** Returns every value of a repeatable parameter, from a query that `readQuery` has accepted. */
export function readRepeated(request: Request, name: string): string[] {
  const value: unknown = request.query[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]) as string[];
}

/**
 * Refuses a query that is not percent-encoded UTF-8. The parser would replace each unreadable byte, and a file would be
 * written under another name.
 *
 * @throws AppError `invalid`
 */
export function checkQueryEncoding(url: string): void {
  const query = url.slice(url.indexOf("?") + 1);
  const isText = [...query.matchAll(/(?:%[0-9a-f]{2})+/gi)].every(([bytes]) => isUtf8(decodeBytes(bytes)));
  if (!isText) throw invalidField("query", "expected UTF-8, percent-encoded");
}

function decodeBytes(encoded: string): Buffer {
  return Buffer.from(encoded.replaceAll("%", ""), "hex");
}

export function readPage(query: Query): Page {
  return { limit: readLimit(query), after: query["after"] };
}

export function readLimit(query: Query): number {
  const limit = Number(query["limit"] ?? limits.listLimitDefault);
  if (limit > limits.listLimitMax) throw invalidField("limit", `expected a number from 1 to ${limits.listLimitMax}`);
  return limit;
}

/** Accepts `?cancel=1` and similar values. */
export function isFlagSet(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

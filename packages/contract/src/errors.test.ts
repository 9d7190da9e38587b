// Tests that the registry and the codes that can be thrown are the same list.

import { describe, expect, test } from "@jest/globals";
import { appErrorCodes } from "@dari/domain";
import { ErrorBody, errorKinds, renderError, renderErrorsMarkdown } from "./errors.ts";
import { validate } from "./validate-value.ts";

describe("the registry of errors", () => {
  test("lists exactly the codes that can be thrown, in their order", () => {
    expect(Object.keys(errorKinds)).toEqual([...appErrorCodes]);
  });

  test("uses only the statuses of the contract", () => {
    const statuses = new Set(Object.values(errorKinds).map((kind) => kind.status));
    expect([...statuses].sort()).toEqual([401, 403, 404, 409, 412, 413, 422, 429, 500, 503]);
    expect(errorKinds.unauthenticated).toMatchObject({ status: 401, title: "Missing or invalid API key" });
  });

  test("the page names every code once", () => {
    const page = renderErrorsMarkdown();
    for (const code of appErrorCodes) expect(page.split(`| \`${code}\` |`)).toHaveLength(2);
  });

  test("a rendered error is valid, and lists errors only when there are some", () => {
    const bare = renderError({ code: "not_found", detail: "no such session", requestId: "r1" });
    expect(bare).toEqual({ detail: "no such session", code: "not_found", request_id: "r1" });
    const issues = [{ path: "parts", message: "field is required" }];
    const listed = renderError({ code: "invalid", detail: "invalid", requestId: "r1", issues });
    expect(listed.errors).toEqual(issues);
    expect([validate(ErrorBody, bare), validate(ErrorBody, listed)]).toEqual([[], []]);
  });
});

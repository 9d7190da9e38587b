// How limits that are found late are reported to callers.

import { expect, test } from "@jest/globals";
import { AppError } from "@dari/domain";
import { WorkspaceLimitError } from "@dari/workspace";
import { toWorkspaceLimitError } from "./workspace-limits.ts";

test("a limit met while saving is the caller's own doing; anything else is not", () => {
  const refusal = toWorkspaceLimitError(new WorkspaceLimitError("names", "the names are too long"));
  expect(refusal).toBeInstanceOf(AppError);
  expect(refusal).toMatchObject({ code: "too_large", message: "the names are too long" });
  const other = new Error("the disk is full");
  expect(toWorkspaceLimitError(other)).toBe(other);
});

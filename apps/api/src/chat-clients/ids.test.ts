// The types of files that clients get.

import { expect, test } from "@jest/globals";
import { mediaTypeOf } from "./ids.ts";

test("a file has the type of its ending, or one for all others", () => {
  const types = ["a.PNG", "a.tar", "png", "x.constructor", "x.__proto__"].map(mediaTypeOf);
  const other = "application/octet-stream";
  expect(types).toEqual(["image/png", other, "image/png", other, other]);
});

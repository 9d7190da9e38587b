// What npm start warns of: one sentence for each remedy.

import { expect, test } from "@jest/globals";
import { describeMissing } from "./describe-missing.ts";

test("capabilities with the same remedy are one sentence", () => {
  const fix = "run `npm start` as root";
  const missing = [
    { what: "mounts: copies", fix },
    { what: "host users", fix: "run `sudo usermod`" },
    { what: "preloading: slow", fix },
  ];
  expect(describeMissing(missing)).toEqual([
    "without mounts: copies; without preloading: slow; run `npm start` as root",
    "without host users; run `sudo usermod`",
  ]);
});

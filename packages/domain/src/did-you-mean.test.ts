// Tests which typing errors get a suggestion, and which words are too different for one.

import { expect, test } from "@jest/globals";
import { didYouMean } from "./did-you-mean.ts";

const known = ["name", "sdk", "entrypoint", "runtime", "retries", "secrets", "env", "egress"];

test.each([
  ["runtme", "runtime"],
  ["rutnime", "runtime"],
  ["Runtime", "runtime"],
  ["secret", "secrets"],
  ["retry", "retries"],
  ["environment", "env"],
  ["nmae", "name"],
  ["entry", "entrypoint"],
])("%s means %s", (word, meant) => {
  const suggestion = didYouMean(word, [...known, "environ"]);
  expect(suggestion).toBe(`; did you mean '${meant === "env" ? "environ" : meant}'?`);
});

test.each(["zeta", "alpha", "image", "x", "", "python"])("nothing is similar to %j", (word) => {
  expect(didYouMean(word, known)).toBe("");
});

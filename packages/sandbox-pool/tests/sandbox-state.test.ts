// The states of a sandbox in the code are those of the README's picture.

import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createState, sandboxTransitions } from "../src/sandbox-state.ts";

test("the README shows each transition, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const picture = /```mermaid\nstateDiagram-v2\n([^]*?)```/.exec(page)?.[1] ?? "";
  const shown = [...picture.matchAll(/^ +(\w+) --> (\w+)/gm)].map(([, from, to]) => `${from} ${to}`);
  const known = Object.entries(sandboxTransitions).flatMap(([from, next]) => next.map((to) => `${from} ${to}`));
  expect(shown.sort()).toEqual(known.sort());
});

test("a transition that is not declared is refused", () => {
  const holder = createState();
  holder.moveTo("serving");
  expect(() => holder.moveTo("preloaded")).toThrow("a sandbox cannot go from serving to preloaded");
  expect(holder.state).toBe("serving");
});

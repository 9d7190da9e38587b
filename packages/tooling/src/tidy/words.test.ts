// Text is written in plain words: a short list of words gives the opposite away.

import { describe, expect, test } from "@jest/globals";
import { otherTexts, sourceFiles, textFiles } from "./files.ts";
import { giveawaysIn } from "./words.ts";

const settings = textFiles.filter(({ path }) => /\.(ya?ml|sh)$|Dockerfile$/.test(path) && !/lock/.test(path));
/** Files that cannot change, and the files of this law, which name what it refuses. */
const isExempt = (path: string): boolean => /^packages\/(db\/migrations|tooling\/src\/tidy\/words)/.test(path);
const written = [...sourceFiles, ...otherTexts, ...settings].filter(({ path }) => !isExempt(path));

describe("giveaways", () => {
  test.each([
    ["// Of a pool.", 1],
    ["const slots = 4; // As many as fit.", 1],
    ["/** Until it is closed. */", 1],
    ["# Whoever reads this starts anew.", 2],
    ["// Shared state of a pool.\n// As long as it is open, nothing is lost.", 0],
    ["// A pool, of slots. It waits until one is free.", 0],
  ])("%j has %d", (text, count) => {
    expect(giveawaysIn({ path: "a.ts", text })).toHaveLength(count);
  });

  test("no file has any", () => {
    expect(written.flatMap((file) => giveawaysIn(file))).toEqual([]);
  });
});

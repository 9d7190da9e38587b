// Code for the previous release ends with it, and the number of the release follows the version.

import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { release, releases } from "@dari/domain";
import { textFiles, root } from "./files.ts";

/** Returns the lines whose code is due to be removed at this release or an earlier one. */
function overdueIn({ path, text }: { readonly path: string; readonly text: string }, at: number): string[] {
  return text.split("\n").flatMap((line, index) => {
    const [, due] = /remove at release (\d+)/i.exec(line) ?? [];
    return due !== undefined && Number(due) <= at ? [`${path}:${index + 1}: remove at release ${due}`] : [];
  });
}

describe("code for the previous release", () => {
  test("is found when the release is reached that removes it", () => {
    const file = { path: "a.sql", text: `select 1;\n-- Workers of 1.0 send no name: remove at ${"release"} 3.\n` };
    expect(overdueIn(file, 2)).toEqual([]);
    expect(overdueIn(file, 3)).toEqual(["a.sql:2: remove at release 3"]);
    expect(overdueIn(file, 4)).toEqual(["a.sql:2: remove at release 3"]);
  });

  test("is in no file", () => {
    expect(textFiles.flatMap((file) => overdueIn(file, release))).toEqual([]);
  });
});

test("the newest release is the version's", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect(`${version}.`.startsWith(`${releases.at(-1)}.`)).toBe(true);
});

// Links between documents lead to an existing file and heading.

import { existsSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { root, textFiles, type RepositoryFile } from "./files.ts";

const documents = textFiles.filter((file) => file.path.endsWith(".md"));
const withoutCode = (text: string): string => text.replace(/```.*?```/gs, "");

/** The anchor of a heading, as GitHub generates it. */
function anchorOf(heading: string): string {
  const text = heading.replace(/[`*]|\]\([^)]*\)|\[/g, "").trim();
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");
}

const anchors = new Map(
  documents.map((file) => [
    file.path,
    new Set([...file.text.matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchorOf(text!))),
  ]),
);

/** Returns the broken links of a document. */
function brokenLinks({ path: from, text }: RepositoryFile): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
    if (/^[a-z]+:/.test(link!)) return [];
    const [file = "", anchor] = link!.split("#");
    const target = file === "" ? from : path.posix.join(path.posix.dirname(from), file);
    const isThere = existsSync(path.join(root, target));
    const known = anchors.get(target);
    const isBroken = !isThere || (anchor !== undefined && known !== undefined && !known.has(anchor));
    return isBroken ? [`${from}: ${link}`] : [];
  });
}

test("a link to a missing file or heading is found", () => {
  const text = "[a](missing.md) [b](#missing) [c](docs/concepts.md#files) [d](https://example.com)";
  expect(brokenLinks({ path: "README.md", text })).toEqual(["README.md: missing.md", "README.md: #missing"]);
});

test("every link of a document leads somewhere", () => {
  expect(documents.flatMap((file) => brokenLinks(file))).toEqual([]);
});

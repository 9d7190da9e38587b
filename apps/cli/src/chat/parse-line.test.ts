// Tests how a line of a chat is read.

import { expect, test } from "@jest/globals";
import { parseLine, pathCandidates } from "./parse-line.ts";

test.each([
  ["", { kind: "empty" }],
  ["  \t", { kind: "empty" }],
  ["/help", { kind: "command", name: "help", argument: "" }],
  ["  /files  /output  ", { kind: "command", name: "files", argument: "/output" }],
  ["/etc/hosts is what?", { kind: "message", text: "/etc/hosts is what?", paths: [] }],
  ["/2 of it", { kind: "message", text: "/2 of it", paths: [] }],
  ["hello", { kind: "message", text: "hello", paths: [] }],
  ["read @a.pdf and @b/c.txt, please", { kind: "message", paths: ["a.pdf", "b/c.txt,"] }],
  ['read @"my file.pdf"', { kind: "message", paths: ["my file.pdf"] }],
  ["@a.txt @a.txt", { kind: "message", paths: ["a.txt"] }],
  ["write to ada@example.com", { kind: "message", paths: [] }],
])("%j", (line, parsed) => expect(parseLine(line)).toMatchObject(parsed));

test.each([
  ["a.txt", ["a.txt"]],
  ["a.txt,", ["a.txt,", "a.txt"]],
  ["a.txt).", ["a.txt).", "a.txt"]],
  ["...", ["..."]],
])("the path %j", (path, candidates) => expect(pathCandidates(path)).toEqual(candidates));

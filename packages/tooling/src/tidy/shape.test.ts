// The form of every file: lengths, headers, and refused words and calls.

import { describe, expect, test } from "@jest/globals";
import { isTest, otherTexts, sourceFiles, textFiles, type RepositoryFile } from "./files.ts";
import { functionLengths } from "./imports.ts";
import { judge } from "./judge.ts";
import {
  documentLinesMax,
  documentLongLinesMax,
  fileLinesMax,
  functionLinesMax,
  lineCharsMax,
  readsEnvironment,
  registryHosts,
} from "./laws.ts";

const typescript = sourceFiles.filter(({ path }) => /\.tsx?$/.test(path));
const modules = sourceFiles.filter(({ path }) => /\.(tsx?|mjs|cjs|js)$/.test(path));
/** The laws and their tests must name what they forbid. */
const outsideTidy = (files: readonly RepositoryFile[]): RepositoryFile[] =>
  files.filter(({ path }) => !path.startsWith("packages/tooling/src/tidy/"));

const lineCount = (text: string): number => text.replace(/\n$/, "").split("\n").length;

/** The lines of the file that match, as "path:line". */
function linesThat(file: RepositoryFile, pattern: RegExp): string[] {
  return file.text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}`] : []));
}

const measured = [...sourceFiles, ...otherTexts];
const tooLong = new RegExp(`.{${lineCharsMax + 1}}`, "u");
const isDocument = ({ path }: RepositoryFile): boolean => path.endsWith(".md");
/** Table rows and lines with a link, which Markdown cannot break or which are worse to read broken. */
const isUnbreakable = (line: string): boolean => /^\s*\||\]\(|:\/\//.test(line);

/** Functions of C, which begin with a line at the margin that ends in a brace and end with a brace at the margin. */
function functionsOfC(text: string): { line: number; lines: number }[] {
  const found: { line: number; lines: number }[] = [];
  let start: number | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (/^[a-z_].*\{$/i.test(line)) start = index;
    if (!line.startsWith("}") || start === undefined) continue;
    found.push({ line: start + 1, lines: index - start + 1 });
    start = undefined;
  }
  return found;
}

describe("length", () => {
  test(`files have at most ${fileLinesMax} lines`, () => {
    // A changelog grows with every release.
    const bounded = measured.filter(({ path }) => path !== "CHANGELOG.md");
    const long = judge("file length", bounded, ({ path, text }) =>
      lineCount(text) > fileLinesMax ? [`${path}: ${lineCount(text)} lines`] : [],
    );
    expect(long).toEqual([]);
  });

  test(`documents have at most ${documentLinesMax} lines`, () => {
    const long = measured
      .filter((file) => isDocument(file) && file.path !== "CHANGELOG.md")
      .flatMap(({ path, text }) => (lineCount(text) > documentLinesMax ? [`${path}: ${lineCount(text)} lines`] : []));
    expect(long).toEqual([]);
  });

  test(`functions have at most ${functionLinesMax} lines`, () => {
    // A suite is a list of tests, not a function that a reader must understand as a whole.
    const candidates = modules.filter(({ path }) => !isTest(path));
    const long = judge("function length", candidates, ({ path, text }) =>
      functionLengths(path, text)
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ name, line, lines }) => `${path}:${line} ${name}: ${lines} lines`),
    );
    expect(long).toEqual([]);
  });

  test(`functions of C have at most ${functionLinesMax} lines`, () => {
    const ofC = otherTexts.filter(({ path }) => path.endsWith(".c"));
    const measuredOfC = ofC.flatMap(({ path, text }) => functionsOfC(text).map((found) => ({ path, ...found })));
    expect(measuredOfC.length).toBeGreaterThan(ofC.length);
    const long = measuredOfC.filter(({ lines }) => lines > functionLinesMax);
    expect(long).toEqual([]);
  });

  test(`lines have at most ${lineCharsMax} characters`, () => {
    const code = measured.filter((file) => !isDocument(file));
    const long = judge("line length", code, (file) => linesThat(file, tooLong));
    expect(long).toEqual([]);
  });

  test(`lines of documents have at most ${lineCharsMax} characters, but for tables and links`, () => {
    const isLong = (line: string): boolean => tooLong.test(line) && !isUnbreakable(line);
    const long = measured
      .filter(isDocument)
      .flatMap(({ path, text }) =>
        text.split("\n").flatMap((line, index) => (isLong(line) ? [`${path}:${index + 1}`] : [])),
      );
    // Lower the number with each document that is wrapped.
    expect(long.length <= documentLongLinesMax ? [] : long).toEqual([]);
  });
});

describe("content", () => {
  test("every file begins with its purpose", () => {
    const header = /^(#!.*\n)?(\/\/ |\/\*|# |"""|'''|@)/;
    expect(judge("header", sourceFiles, ({ path, text }) => (header.test(text) ? [] : [path]))).toEqual([]);
  });

  test("the environment is read in config.ts only", () => {
    const candidates = modules.filter(({ path }) => !readsEnvironment.test(path) && !/\/guest\//.test(path));
    const shipped = candidates.filter(({ path }) => !isTest(path) && !path.startsWith("examples/"));
    expect(judge("environment", shipped, (file) => linesThat(file, /\bprocess\.env\b/))).toEqual([]);
  });

  test("tests wait for conditions, never for a time", () => {
    const tests = outsideTidy(typescript).filter(({ path }) => isTest(path));
    const timers = /\bset(Timeout|Interval)\(|timers\/promises|\bsleep\(/;
    expect(judge("timers in tests", tests, (file) => linesThat(file, timers))).toEqual([]);
  });

  test.each([
    ["export everything", /^\s*export \*/],
    ["leave notes to do something later", /\b(TODO|FIXME|XXX)\b/],
    ["use any", /(:|\bas|<|\|)\s*any\b(?!\w|[^;,)>\]|\s])/],
    ["focus a test", /\b(describe|test|it)\.only\b/],
  ])("no file can %s", (law, pattern) => {
    expect(judge(law, outsideTidy(typescript), (file) => linesThat(file, pattern))).toEqual([]);
  });

  test("no file names the host of a package registry", () => {
    const locks = /(^|\/)(pnpm-lock\.yaml|package-lock\.json|uv\.lock|poetry\.lock)$/;
    const others = textFiles.filter(({ path }) => !locks.test(path));
    const naming = others.flatMap((file) =>
      registryHosts.filter((host) => file.text.includes(host)).map((host) => `${file.path} names ${host}`),
    );
    expect(naming).toEqual([]);
  });
});

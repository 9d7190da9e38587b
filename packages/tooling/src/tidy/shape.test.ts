// The shape of every file: lengths, headers, and the words and calls that have no place here.

import { describe, expect, test } from "@jest/globals";
import { isTest, sourceFiles, textFiles, type RepositoryFile } from "./files.ts";
import { functionLengths } from "./imports.ts";
import { exceptions, fileLinesMax, functionLinesMax, lineCharsMax, readsEnvironment, registryHosts } from "./laws.ts";

const typescript = sourceFiles.filter(({ path }) => /\.tsx?$/.test(path));
const modules = sourceFiles.filter(({ path }) => /\.(tsx?|mjs|cjs|js)$/.test(path));
/** The laws and their tests must name what they forbid. */
const outsideTidy = (files: readonly RepositoryFile[]): RepositoryFile[] =>
  files.filter(({ path }) => !path.startsWith("packages/tooling/src/tidy/"));

const lineCount = (text: string): number => text.replace(/\n$/, "").split("\n").length;

/** Files that break a law, without the known ones; a known one that no longer does is reported too. */
function judge(law: string, files: readonly RepositoryFile[], breaches: (file: RepositoryFile) => string[]): string[] {
  const known = exceptions[law] ?? [];
  const found = files.map((file) => ({ path: file.path, breaches: breaches(file) }));
  const fresh = found.filter(({ path }) => !known.includes(path)).flatMap((item) => item.breaches);
  const cured = known.filter((path) => !found.some((item) => item.path === path && item.breaches.length > 0));
  return [...fresh, ...cured.map((path) => `${path} keeps the law "${law}" now: take it off the list of exceptions`)];
}

/** Lines of the file that match, as "path:line". */
function linesThat(file: RepositoryFile, pattern: RegExp): string[] {
  return file.text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}`] : []));
}

describe("length", () => {
  test(`files have at most ${fileLinesMax} lines`, () => {
    const long = judge("file length", sourceFiles, ({ path, text }) =>
      lineCount(text) > fileLinesMax ? [`${path}: ${lineCount(text)} lines`] : [],
    );
    expect(long).toEqual([]);
  });

  test(`functions have at most ${functionLinesMax} lines`, () => {
    // A suite is a list of tests, not a function that someone must hold in the head.
    const candidates = modules.filter(({ path }) => !isTest(path));
    const long = judge("function length", candidates, ({ path, text }) =>
      functionLengths(path, text)
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ name, line, lines }) => `${path}:${line} ${name}: ${lines} lines`),
    );
    expect(long).toEqual([]);
  });

  test(`lines have at most ${lineCharsMax} characters`, () => {
    const tooLong = new RegExp(`.{${lineCharsMax + 1}}`, "u");
    const long = judge("line length", sourceFiles, (file) => linesThat(file, tooLong));
    expect(long).toEqual([]);
  });
});

describe("content", () => {
  test("every file opens by saying what it is for", () => {
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
  ])("nobody may %s", (law, pattern) => {
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

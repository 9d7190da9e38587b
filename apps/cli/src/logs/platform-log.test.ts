// Tests reading the end of a growing log file.

import { expect, test } from "@jest/globals";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platformLogPath, readPlatformLog } from "./platform-log.ts";

async function openFile(content: string) {
  const directory = await mkdtemp(join(tmpdir(), "dari-log-"));
  const path = join(directory, "dari.log");
  await writeFile(path, content);
  return { path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

async function readLast(path: string, lines: number): Promise<string[]> {
  const read: string[] = [];
  const options = { lines, follow: false, signal: new AbortController().signal };
  for await (const line of readPlatformLog(path, options)) read.push(line);
  return read;
}

test("the last lines of a file, also of a large one with long lines", async () => {
  const long = "é".repeat(50_000);
  await using file = await openFile(`one\n${long}\nthree\nfour\n`);
  expect(await readLast(file.path, 2)).toEqual(["three", "four"]);
  expect(await readLast(file.path, 3)).toEqual([long, "three", "four"]);
  expect(await readLast(file.path, 4)).toEqual(["one", long, "three", "four"]);
  expect(await readLast(file.path, 5)).toHaveLength(4);
  await using empty = await openFile("");
  expect(await readLast(empty.path, 5)).toEqual([]);
});

test("lines that are added are read when they are whole, also after the file was truncated", async () => {
  await using file = await openFile("one\n");
  const stop = new AbortController();
  const lines = readPlatformLog(file.path, { lines: 10, follow: true, signal: stop.signal });
  const next = async () => (await lines.next()).value as string | undefined;
  expect(await next()).toBe("one");
  const second = next();
  await appendFile(file.path, "tw");
  await appendFile(file.path, "o\nhalf");
  expect(await second).toBe("two");
  await writeFile(file.path, "new\n");
  expect(await next()).toBe("new");
  const never = next();
  stop.abort();
  await expect(never).rejects.toThrow("aborted");
});

test("a missing file says where to look", async () => {
  await expect(readLast("/nowhere/logs/dari.log", 1)).rejects.toThrow("set DARI_DATA_DIR");
});

test.each([
  [{}, ".dari-data/logs/dari.log"],
  [{ DARI_DATA_DIR: "/data" }, "/data/logs/dari.log"],
  [{ DARI_CONNECTION_FILE: "/p/connection.json" }, "/p/logs/dari.log"],
])("the log of %j", (environment, path) => expect(platformLogPath(environment)).toBe(path));

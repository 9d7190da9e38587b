// Log lines: one JSON object each, the child's ids on every line, and no secret whatever the caller passes.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Redacted } from "@dari/domain";
import { createLogger, isSecretKey, openLogFile, type LogLevel, type Logger } from "../src/index.ts";

function capture(level: LogLevel = "debug"): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) };
  return { log: createLogger({ name: "test", level, destination }), lines };
}

describe("createLogger", () => {
  test("writes name, level, time, fields and message", () => {
    const { log, lines } = capture();
    log.info({ turn: "msg_1", ms: 12 }, "turn completed");
    log.warn("bare");
    expect(lines[0]).toMatchObject({ level: "info", name: "test", turn: "msg_1", ms: 12, msg: "turn completed" });
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(lines[1]).toMatchObject({ level: "warn", msg: "bare" });
  });

  test("puts a child's fields on every line and hides its secrets", () => {
    const { log, lines } = capture();
    log.child({ request_id: "r1", token: "abc" }).child({ org: "org_1" }).info("hello");
    expect(lines[0]).toMatchObject({ request_id: "r1", org: "org_1", token: "***", msg: "hello" });
  });

  test("is silent below its level", () => {
    const { log, lines } = capture("warn");
    log.debug({ a: 1 }, "no");
    log.info("no");
    log.error("yes");
    expect(lines.map((line) => line.msg)).toEqual(["yes"]);
  });

  test("hides secrets by key, at any depth, in arrays and in wrapped values", () => {
    const { log, lines } = capture();
    log.info({ headers: { Authorization: "Bearer x" }, list: [{ api_key: "k" }], wrapped: new Redacted("pw") }, "m");
    expect(lines[0]).toMatchObject({ headers: { Authorization: "***" }, list: [{ api_key: "***" }], wrapped: "***" });
  });

  test("hides passwords in URLs and keys of the platform inside texts and errors", () => {
    const { log, lines } = capture();
    const cause = new Error("connect postgres://dari:hunter2@127.0.0.1/x");
    log.error({ err: new Error("refused dari_abcdefghijkl", { cause }) }, "failed");
    expect(JSON.stringify(lines[0])).not.toMatch(/hunter2|abcdefghijkl/);
    expect(lines[0]).toMatchObject({ err: { type: "Error", message: "refused ***", cause: { type: "Error" } } });
  });

  test.each("dari dtok dcod dref dses dlnk dkln dinv ddev dtrg".split(" "))(
    "hides %s_ secrets inside texts",
    (prefix) => {
      const { log, lines } = capture();
      log.error({ err: new Error(`got ${prefix}_abcdefghijkl`), at: `/join#${prefix}_abcdefghijkl` }, "failed");
      expect(lines[0]).toMatchObject({ err: { message: "got ***" }, at: "/join#***" });
      expect(JSON.stringify(lines[0])).not.toContain("abcdefghijkl");
    },
  );

  test("survives values that JSON cannot represent", () => {
    const { log, lines } = capture();
    const knot: Record<string, unknown> = { big: 10n, bytes: Buffer.from("abc") };
    knot.self = knot;
    log.info(knot, "odd");
    expect(lines[0]).toMatchObject({ big: "10", bytes: "<3 bytes>", msg: "odd" });
  });

  test("what a database error quotes of rows is not printed", () => {
    const { log, lines } = capture();
    const fields = { severity: "ERROR", routine: "ExecConstraints", code: "23502", table: "events" };
    const error = Object.assign(new Error("null value"), fields, { detail: "Failing row contains (a, my text)" });
    log.error({ err: new Error("outer", { cause: error }) }, "failed");
    expect(lines[0]).toMatchObject({ err: { cause: { code: "23502", table: "events" } } });
    expect(JSON.stringify(lines)).not.toContain("my text");
  });

  test("a program that ends in the middle of its writing says each line once, in order", () => {
    const program = new URL("programs/last-words.ts", import.meta.url).pathname;
    const dir = mkdtempSync(join(tmpdir(), "dari-log-"));
    const file = join(dir, "log");
    const fd = openSync(file, "w");
    try {
      const toPipe = spawnSync(process.execPath, [program], { timeout: 30_000, stdio: ["ignore", "pipe", "ignore"] });
      const toFile = spawnSync(process.execPath, [program], { timeout: 30_000, stdio: ["ignore", fd, "ignore"] });
      expect([toPipe.status, toFile.status]).toEqual([0, 0]);
      const expected = Array.from({ length: 100 }, (_, index) => index + 1);
      for (const text of [toPipe.stdout.toString(), readFileSync(file, "utf8")]) {
        const lines = text.trim().split("\n");
        expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(expected);
      }
    } finally {
      closeSync(fd);
      rmSync(dir, { recursive: true });
    }
  });

  test("a log file gets each line once, in order, and none after it was closed", async () => {
    const dir = mkdtempSync(join(tmpdir(), "dari-log-"));
    try {
      const path = join(dir, "log");
      const file = openLogFile(path);
      const log = createLogger({ name: "test", destination: file });
      const say = (from: number, to: number): void => {
        for (let line = from; line <= to; line++) log.info({ line }, "said");
      };
      const watcher = watch(path);
      const written = once(watcher, "change");
      say(1, 50);
      await written;
      watcher.close();
      // These wait when the file is closed.
      say(51, 100);
      await file.close();
      say(101, 150);
      const again = openLogFile(path);
      again.write('{"line":151}\n');
      await again.close();
      const lines = readFileSync(path, "utf8").trim().split("\n");
      const expected = [...Array.from({ length: 100 }, (_, index) => index + 1), 151];
      expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(expected);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("a program whose output is not read ends anyway", async () => {
    const program = new URL("programs/last-words.ts", import.meta.url).pathname;
    // More than the capacity of any pipe.
    const child = spawn(process.execPath, [program, "20000"], {
      timeout: 30_000,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(await once(child, "exit")).toEqual([0, null]);
    child.stdout.destroy();
  });

  test("writes to standard output, and outlives a disk that is full under it", () => {
    const program = new URL("programs/talks.ts", import.meta.url).pathname;
    const good = spawnSync(process.execPath, [program], { timeout: 30_000, stdio: ["ignore", "pipe", "pipe"] });
    expect(good.stdout.toString().trim().split("\n")).toHaveLength(20);
    const full = openSync("/dev/full", "w");
    const run = spawnSync(process.execPath, [program], { timeout: 30_000, stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    expect({ status: run.status, said: run.stderr.toString() }).toEqual({ status: 0, said: "still here\n" });
  });
});

test.each([
  ["masterKey", true],
  ["claim_token", true],
  ["S3_SECRET_ACCESS_KEY", true],
  ["x-api-key", true],
  ["set-cookie", true],
  ["objectKey", false],
  ["key", false],
  ["tokens_used", false],
])("%s smells of a secret: %s", (key, expected) => {
  expect(isSecretKey(key)).toBe(expected);
});

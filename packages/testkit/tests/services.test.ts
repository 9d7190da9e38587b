// How services are started: given ones are used, started ones are stopped, and those of a killed run are removed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "@jest/globals";
import { isSameProcessAlive, type ProcessIdentity } from "@dari/embedded";
import { findChromium } from "../src/find-chromium.ts";
import { startServiceRun } from "../src/service-run.ts";
import { findService, requireService } from "../src/services.ts";
import { waitUntil } from "../src/wait-until.ts";

const given = {
  DARI_TEST_DATABASE_URL: "postgres://a",
  DARI_TEST_REDIS_URL: "redis://b",
  DARI_TEST_S3_ENDPOINT: "http://c",
};

describe("startServiceRun", () => {
  test("uses the services it is given and starts none", async () => {
    await using run = await startServiceRun(given);
    expect(run.services).toMatchObject({
      postgres: { url: "postgres://a" },
      redis: { url: "redis://b" },
      s3: { endpoint: "http://c", region: "us-east-1" },
    });
  });

  test("a required service that does not exist ends the run", async () => {
    await expect(startServiceRun({ ...given, DARI_TEST_REQUIRE: "redis, mysql" })).rejects.toThrow(/names mysql/);
  });

  test("what a killed run left behind is ended by the next", async () => {
    const program = new URL("programs/service-run.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    const postgres = JSON.parse(line) as ProcessIdentity;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    expect(isSameProcessAlive(postgres)).toBe(true);
    await using _next = await startServiceRun(given);
    expect(isSameProcessAlive(postgres)).toBe(false);
  });
});

test("a browser is found on the search path, or not at all", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "dari-browser-"));
  try {
    const file = path.join(dir, "chromium");
    await writeFile(file, "", { mode: 0o600 });
    expect(findChromium(`/nowhere:${dir}`)).toBeUndefined();
    await chmod(file, 0o700);
    expect(findChromium(`/nowhere:${dir}`)).toBe(file);
    expect(findChromium("")).toBeUndefined();
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("every test of this repository has a PostgreSQL", () => {
  expect(requireService("postgres").url).toMatch(/^postgres/);
  expect(findService("postgres")).toEqual(requireService("postgres"));
});

describe("waitUntil", () => {
  test("returns the first answer that counts", async () => {
    let asked = 0;
    expect(await waitUntil(() => ++asked === 3 && "third", { what: "the third" })).toBe("third");
  });

  test("says what it waited for, with the last error as the cause", async () => {
    const never = (): undefined => {
      throw new Error("not yet");
    };
    const waiting = waitUntil(never, { what: "godot", timeoutMs: 1 });
    const message = "Waited 1 ms in vain for godot";
    await expect(waiting).rejects.toMatchObject({ message, cause: new Error("not yet") });
  });
});

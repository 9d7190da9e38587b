// Interpreters are found, downloaded once, or refused with a list of the available ones.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRuntimes, RuntimeUnavailableError, type Runtimes } from "../src/index.ts";
import { hostEnvironment, temporaryDirectory, type TemporaryDirectory } from "./host.ts";

let temporary: TemporaryDirectory;
beforeAll(async () => {
  temporary = await temporaryDirectory();
});
afterAll(() => temporary[Symbol.asyncDispose]());

describe("node", () => {
  test("without a version, and for its own major, the running Node serves", async () => {
    const runtimes = createRuntimes({ cacheDir: join(temporary.path, "unused"), env: hostEnvironment() });
    const newest = await runtimes.resolve("typescript", undefined);
    expect(newest.version).toBe(process.versions.node);
    const major = process.versions.node.split(".")[0]!;
    expect(await runtimes.resolve("typescript", major)).toEqual(newest);
    await expect(access(join(temporary.path, "unused"))).rejects.toThrow();
  });

  test("20 is downloaded once for two concurrent builders, and is a real Node 20", async () => {
    const cacheDir = join(temporary.path, "cache");
    const [a, b] = [1, 2].map(() => createRuntimes({ cacheDir, env: hostEnvironment() }));
    const said: string[] = [];
    const fetch = (runtimes: Runtimes) => runtimes.resolve("typescript", "20", undefined, (text) => said.push(text));
    const [first, second] = await Promise.all([fetch(a!), fetch(b!)]);
    expect(said).toEqual(Array(2).fill(expect.stringMatching(/^downloading node 20;/)));
    expect(second).toEqual(first);
    expect(first.version).toMatch(/^20\.\d+\.\d+$/);
    expect(first.command.startsWith(cacheDir)).toBe(true);
    const printed = execFileSync(first.command, ["-p", "process.version"], { encoding: "utf8" });
    expect(printed.trim()).toBe(`v${first.version}`);
    expect(await readdir(join(cacheDir, "node"))).toEqual([first.version]);

    const offline = createRuntimes({ cacheDir, env: { PATH: "/nowhere" } });
    expect(await fetch(offline)).toEqual(first);
    expect(said).toHaveLength(2);
    const offers = await offline.list();
    expect(offers).toContainEqual({ language: "typescript", version: first.version, source: "fetched" });
  }, 300_000);

  test.each(["19", "lts", "20.x", "", "999.1"])("%p is refused with the available versions", async (version) => {
    const runtimes = createRuntimes({ cacheDir: temporary.path, env: hostEnvironment() });
    const refused = runtimes.resolve("typescript", version);
    await expect(refused).rejects.toBeInstanceOf(RuntimeUnavailableError);
    await expect(refused).rejects.toThrow(/available: .*\b20\.\d+\.\d+.*\b22\.\d+\.\d+/);
  });

  test("an exact version that was never published is refused with npm's reason", async () => {
    const runtimes = createRuntimes({ cacheDir: join(temporary.path, "none"), env: hostEnvironment() });
    await expect(runtimes.resolve("typescript", "20.99.99")).rejects.toThrow(/npm could not download it/);
    expect(await readdir(join(temporary.path, "none/node"))).toEqual([]);
  });

  test("a registry that does not answer is asked again", async () => {
    const firstTryMs = 2_000;
    const startedAt = performance.now();
    // Under load, the first npm may be ended before it has sent a request.
    const server = createServer((_, response) => {
      if (performance.now() - startedAt > firstTryMs) response.writeHead(404).end("{}");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const npmRegistry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const env = { PATH: hostEnvironment().PATH! };
    const runtimes = createRuntimes({ cacheDir: temporary.path, env, npmRegistry, firstTryMs });
    await expect(runtimes.resolve("typescript", "22.0.1")).rejects.toThrow(/npm could not download it: .*404/s);
    server.closeAllConnections();
    server.close();
  });

  test("a download without waiting callers is stopped, and one with callers continues", async () => {
    const asked = Promise.withResolvers<void>();
    const hungUp = Promise.withResolvers<void>();
    const server = createServer((request) => {
      asked.resolve();
      request.on("close", () => hungUp.resolve());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const npmRegistry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const env = { PATH: hostEnvironment().PATH! };
    const runtimes = createRuntimes({ cacheDir: temporary.path, env, npmRegistry, firstTryMs: 240_000 });
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = [one, other].map(({ signal }) => runtimes.resolve("typescript", "22.0.2", signal));
    const ends = Promise.allSettled(waits);
    await asked.promise;
    one.abort(new Error("the first ends"));
    await expect(waits[0]).rejects.toThrow("the first ends");
    expect(await readdir(join(temporary.path, "node"))).toContainEqual(expect.stringMatching(/^\.fetch-/));
    other.abort(new Error("the other ends"));
    await hungUp.promise;
    expect((await ends).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    server.closeAllConnections();
    server.close();
  });

  test("without npm the refusal says so", async () => {
    const runtimes = createRuntimes({ cacheDir: join(temporary.path, "no-npm"), env: { PATH: "/nowhere" } });
    await expect(runtimes.resolve("typescript", "22")).rejects.toThrow(/npm is not installed/);
  });
});

describe("python", () => {
  /** A directory with stand-in interpreters that answer the probe for a version. */
  async function machineWith(versions: readonly string[]): Promise<Record<string, string>> {
    const bin = join(temporary.path, `bin-${versions.join("-")}`);
    await mkdir(bin, { recursive: true });
    for (const version of versions) {
      const command = join(bin, `python${version.split(".").slice(0, 2).join(".")}`);
      const answer = JSON.stringify({ command, version, prefixes: [bin], pip: true });
      await writeFile(command, `#!/bin/sh\necho '${answer}'\n`);
      await chmod(command, 0o755);
    }
    return { PATH: bin, HOME: bin };
  }

  test("finds real interpreters behind shims", async () => {
    const env = { PATH: hostEnvironment().PATH!, HOME: homedir() };
    const runtimes = createRuntimes({ cacheDir: temporary.path, env });
    const python = await runtimes.resolve("python", undefined);
    expect(python.command).not.toContain("/shims/");
    const script = "import sys; print('.'.join(map(str, sys.version_info[:3])))";
    const printed = execFileSync(python.command, ["-I", "-c", script], { encoding: "utf8", env: {} });
    expect(printed.trim()).toBe(python.version);
    expect(python.readOnlyPaths.length).toBeGreaterThan(0);
  });

  test("the requested minor version, or else the newest", async () => {
    const env = await machineWith(["3.11.4", "3.13.1", "3.9.1"]);
    const runtimes = createRuntimes({ cacheDir: temporary.path, env });
    expect(await runtimes.resolve("python", "3.11")).toMatchObject({ version: "3.11.4" });
    expect(await runtimes.resolve("python", "3.11.4")).toMatchObject({ version: "3.11.4" });
    expect(await runtimes.resolve("python", undefined)).toMatchObject({ version: "3.13.1" });
    await expect(runtimes.resolve("python", "3.12")).rejects.toThrow(/available: 3\.11\.4, 3\.13\.1/);
    await expect(runtimes.resolve("python", "3.9")).rejects.toBeInstanceOf(RuntimeUnavailableError);
  });

  test("the nearest newer minor where that is allowed", async () => {
    const env = await machineWith(["3.10.2", "3.12.4", "3.13.1"]);
    const runtimes = createRuntimes({ cacheDir: temporary.path, env, allowNearest: true });
    const runtime = await runtimes.resolve("python", "3.11");
    expect(runtime.version).toBe("3.12.4");
    expect(runtime.warning).toMatch(/3\.11 .* runs on python 3\.12\.4/);
    await expect(runtimes.resolve("python", "3.14")).rejects.toBeInstanceOf(RuntimeUnavailableError);
    await expect(runtimes.resolve("python", "2.7")).rejects.toBeInstanceOf(RuntimeUnavailableError);
  });

  test("a machine without Python says so", async () => {
    const runtimes = createRuntimes({ cacheDir: temporary.path, env: { PATH: "/nowhere", HOME: "/nowhere" } });
    const refused = runtimes.resolve("python", undefined);
    await expect(refused).rejects.toThrow("python is not available; this worker has none");
  });
});

// The addresses of providers for pi, which it reads only from a file.

import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { runTurn } from "../src/index.ts";
import { findRuntimes, requestFor, startGuest } from "./guest-fixture.ts";

const runtime = findRuntimes().find(({ language }) => language === "typescript")!;
let home: string;
let file: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "harness-test-home-"));
  file = join(home, ".pi/agent/models.json");
});
afterEach(() => rm(home, { recursive: true }));

/** Returns the contents of models.json after a turn; undefined without one. */
async function modelsAfterTurn(env: Record<string, string>, sdk = "pi"): Promise<unknown> {
  const guest = await startGuest(runtime, [], { HOME: home, ...env });
  try {
    const ending = await runTurn({
      ...guest,
      request: { ...requestFor(runtime, guest, "text"), sdk },
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame: () => {},
    });
    expect(ending.kind).toBe("completed");
    const text = await readFile(file, "utf8").catch(() => undefined);
    return text === undefined ? undefined : JSON.parse(text);
  } finally {
    await guest.end();
  }
}

test("models.json is written from the environment, and follows it", async () => {
  expect(await modelsAfterTurn({})).toBeUndefined();
  expect(await modelsAfterTurn({ ANTHROPIC_BASE_URL: "http://one" }, "claude-agent-sdk")).toBeUndefined();
  const one = { providers: { anthropic: { baseUrl: "http://one" } } };
  expect(await modelsAfterTurn({ ANTHROPIC_BASE_URL: "http://one" })).toEqual(one);
  const two = { providers: { anthropic: { baseUrl: "http://two" }, openai: { baseUrl: "http://two/v1" } } };
  const env = { ANTHROPIC_BASE_URL: "http://two", OPENAI_BASE_URL: "http://two/v1" };
  expect(await modelsAfterTurn(env)).toEqual(two);
  expect(await modelsAfterTurn({})).toEqual({ providers: {} });
});

test("an existing models.json of the agent or the session stays", async () => {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, '{"providers":{"own":{}}}');
  expect(await modelsAfterTurn({ ANTHROPIC_BASE_URL: "http://one" })).toEqual({ providers: { own: {} } });
});

// What counts as a difference between two manifests.

import { expect, test } from "@jest/globals";
import { compareManifests } from "./compare-manifests.ts";
import type { Manifest } from "./manifest.ts";
import { formatManifestIssues, parseManifest } from "./parse-manifest.ts";

const base = "name: demo\nsdk: openai-agents\nentrypoint: src/agent.ts:agent\n";

test("finds no difference between equal meanings", () => {
  const left = parsed(`${base}secrets: [A, B]\nruntime: {timeout_seconds: 1800}`);
  expect(compareManifests(left, parsed(`${base}secrets: [B, A]`))).toEqual([]);
  const narrow = parsed(`${base}egress: ['*.Example.com', 'example.com:8443']`);
  expect(narrow.egress).toEqual(["*.example.com", "example.com:8443"]);
  expect(compareManifests(narrow, parsed(`${base}egress: [example.com:8443, '*.example.com']`))).toEqual([]);
  expect(compareManifests(parsed(`${base}egress: []`), parsed(base))).toEqual(["egress"]);
  const described = parsed(`${base}description: ' Answers questions. '`);
  expect(described.description).toBe("Answers questions.");
  expect(compareManifests(described, parsed(base))).toEqual(["description"]);
  expect(parsed(`${base}limits: {}`).limits).toBeUndefined();
  const limited = parsed(`${base}limits: {tokens: 5}`);
  expect(limited.limits).toEqual({ tokens: 5 });
  expect(compareManifests(limited, parsed(base))).toEqual(["limits.tokens"]);
  const cheap = parsed(`${base}limits: {cost_usd: 0.5}`);
  expect(cheap.limits).toEqual({ cost_usd: 0.5 });
  expect(compareManifests(cheap, parsed(base))).toEqual(["limits.cost_usd"]);
  expect(parsed(`${base}limits: {tokens: 5, at_limit: stop}`)).toEqual(limited);
  const asking = parsed(`${base}limits: {at_limit: ask}\nretries: {record_answers: {keep_days: 7}}`);
  expect(asking.limits).toEqual({ at_limit: "ask" });
  expect(compareManifests(asking, { ...asking, limits: {} })).toEqual(["limits.at_limit"]);
});

test("names what differs", () => {
  const text = `${base.replace("demo", "other")}runtime: {version: '22'}\nretries: {max_attempts: 2}\nenv: {A: x}`;
  expect(compareManifests(parsed(text), parsed(`${base}env: {B: x}`))).toEqual([
    "env.A",
    "env.B",
    "name",
    "retries.max_attempts",
    "runtime.version",
  ]);
});

function parsed(text: string): Manifest {
  const result = parseManifest(text);
  if (!result.ok) throw new Error(formatManifestIssues("dari.yml", result.issues));
  return result.manifest;
}

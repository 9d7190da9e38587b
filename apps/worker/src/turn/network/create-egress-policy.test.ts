// Whose rules apply to a turn's agent.

import type { Turn } from "@dari/control/turns";
import { decideEgress, type EgressPolicy } from "@dari/network";
import { describe, expect, test } from "@jest/globals";
import { createEgressPolicy } from "./create-egress-policy.ts";

const platform = { mode: "open", rules: [] } as const;
const everything = { mode: "open", hosts: [] } as const;
const nothing = { mode: "off", hosts: [] } as const;

test("a session that was created without internet access reaches nothing, whatever the other rules allow", () => {
  const turn = { manifest: { egress: ["api.example.com"] } as never, keptSecrets: [] };
  const allowed = createEgressPolicy(platform, { egress: { organization: everything }, ...turn });
  expect(decideEgress(allowed, "api.example.com", 443)).toMatchObject({ allowed: true });
  const egress = { organization: everything, session: nothing };
  const off = createEgressPolicy(platform, { egress, ...turn });
  expect(decideEgress(off, "api.example.com", 443)).toMatchObject({
    allowed: false,
    reason: expect.stringContaining("internet_access: false"),
  });
});

describe("models-only", () => {
  const models = [
    { host: "llm.example.com", scheme: "https", format: "openai-chat" },
    { host: "llm.example.com:8080", scheme: "http", format: "openai-chat" },
    { host: "10.0.0.5:8000", scheme: "http", path: "/v1", format: "openai-chat" },
  ];
  const kept = ["api.openai.com", "*.googleapis.com", "eu.api.anthropic.com:8443", "api.github.com", "*.example.com"];
  const endpoint = { kind: "endpoint", address: "10.0.0.5", port: 8000 } as const;
  const other = { kind: "endpoint", address: "10.0.0.6", port: 8000 } as const;

  function decide(host: string, port = 443, { rules = [], egress = {} }: Partial<Turn & EgressPolicy> = {}) {
    const turn = { egress, manifest: { egress: "models-only", models }, keptSecrets: [{ hosts: kept }] };
    return decideEgress(createEgressPolicy({ mode: "open", rules }, turn as never), host, port);
  }

  test.each<[host: string, port: number]>([
    ["llm.example.com", 443],
    ["LLM.example.com.", 443],
    ["llm.example.com", 8080],
    ["api.openai.com", 443],
    ["generativelanguage.googleapis.com", 443],
    ["eu.generativelanguage.googleapis.com", 443],
    ["eu.api.anthropic.com", 8443],
  ])("%s:%s is reached", (host, port) => {
    expect(decide(host, port)).toMatchObject({ allowed: true });
  });

  test.each<[host: string, port: number]>([
    ["example.com", 443],
    // A kept credential makes no other host one of a model.
    ["api.github.com", 443],
    ["other.example.com", 443],
    ["storage.googleapis.com", 443],
    ["generativelanguage.googleapis.com.example.com", 443],
    // Only on one port, where every request is read.
    ["api.openai.com", 80],
    ["api.openai.com", 22],
    ["llm.example.com", 22],
    ["eu.api.anthropic.com", 443],
    // Below a host, only with `*.`.
    ["eu.api.openai.com", 443],
    ["eu.llm.example.com", 443],
    ["api.anthropic.com", 443],
    ["203.0.114.5", 443],
    ["[2606:4700::1111]", 443],
  ])("%s:%s is refused", (host, port) => {
    expect(decide(host, port)).toEqual({ allowed: false, reason: expect.stringContaining("`egress: models-only`") });
  });

  test("a private endpoint needs the operators and dari.yml", () => {
    const rules = [endpoint, other];
    expect(decide("10.0.0.5", 8000, { rules })).toEqual({ allowed: true, exact: true });
    expect(decide("10.0.0.5", 8000)).toEqual({ allowed: true, exact: false });
    expect(decide("10.0.0.6", 8000, { rules })).toMatchObject({ allowed: false });
  });

  test("the organization's rules and the session's still apply", () => {
    const organization = { mode: "allow", hosts: ["llm.example.com"] } as const;
    expect(decide("llm.example.com", 443, { egress: { organization } })).toMatchObject({ allowed: true });
    expect(decide("api.openai.com", 443, { egress: { organization } })).toEqual({
      allowed: false,
      reason: expect.stringContaining("dari egress set"),
    });
    expect(decide("llm.example.com", 443, { egress: { session: nothing } })).toMatchObject({ allowed: false });
  });
});

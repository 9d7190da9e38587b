// Equal requests have equal digests: ids of the caller do not count, everything else does.

import { describe, expect, test } from "@jest/globals";
import type { ModelFormat } from "@dari/domain";
import { digestRequest } from "./request-digest.ts";

interface Asked {
  readonly host?: string;
  readonly format?: ModelFormat;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function digest({ host = "api.openai.com", format = "openai-chat", url = "/v1/chat/completions", ...rest }: Asked) {
  const { headers = {}, body = "{}" } = rest;
  return digestRequest(host, format, { method: "POST", url, headers }, Buffer.from(body));
}

const anthropic = { format: "anthropic-messages" } as const;

test.each<[title: string, one: Asked, other: Asked]>([
  [
    "names of SDKs and traces",
    { headers: { "user-agent": "a", traceparent: "b", "x-stainless-retry-count": "1" } },
    {},
  ],
  ["a cache key", { body: '{"a":1,"prompt_cache_key":"x"}' }, { body: '{"a":1,"prompt_cache_key":"yy"}' }],
  ["a user", { body: '{"user" : "x", "a":1}' }, { body: '{"user" : "é\\"", "a":1}' }],
  [
    "a user beside messages of users",
    { body: '{"messages":[{"role":"user"},{"content":"x","role": "user" }],"user":"x","roles":["user"]}' },
    { body: '{"messages":[{"role":"user"},{"content":"x","role": "user" }],"user":"y","roles":["user"]}' },
  ],
  [
    "three ids",
    { body: '{"user":"x","safety_identifier":"1","prompt_cache_key":"k"}' },
    { body: '{"user":"yy","safety_identifier":"22","prompt_cache_key":"kk"}' },
  ],
  [
    "Anthropic's user",
    { ...anthropic, body: '{"metadata":{"user_id":"x"},"max_tokens":1}' },
    { ...anthropic, body: '{"metadata":{"user_id":"y"},"max_tokens":1}' },
  ],
])("%s do not count", (_title, one, other) => {
  expect(digest(one)).toBe(digest(other));
});

const long = "x".repeat(600);
test.each<[title: string, one: Asked, other: Asked]>([
  ["the host", {}, { host: "api.openai.com:8443" }],
  ["the path", {}, { url: "/v1/chat/completions?x=1" }],
  ["a beta", {}, { headers: { "openai-beta": "x" } }],
  ["the credential", { headers: { authorization: "Bearer dari_a" } }, { headers: { authorization: "Bearer dari_b" } }],
  ["the accepted encoding", {}, { headers: { "accept-encoding": "gzip" } }],
  ["a text", { body: '{"a":"x"}' }, { body: '{"a":"y"}' }],
  ["a number that JSON cannot tell apart", { body: "[12345678901234567890]" }, { body: "[12345678901234567891]" }],
  ["a repeated name", { body: '{"a":1,"a":2}' }, { body: '{"a":3,"a":2}' }],
  ["a repeated id", { body: '{"user":"x","user":"z"}' }, { body: '{"user":"y","user":"z"}' }],
  ["an id further inside", { body: '{"a":{"user":"x"}}' }, { body: '{"a":{"user":"y"}}' }],
  ["an id in a list", { body: '{"a":[{"user":"x"}]}' }, { body: '{"a":[{"user":"y"}]}' }],
  ["an id inside and outside", { body: '{"user":"u","a":{"user":"x"}}' }, { body: '{"user":"u","a":{"user":"y"}}' }],
  [
    "an id behind another spelling of its name",
    { body: '{"a":{"user":"x"},"us\\u0065r":"x"}' },
    { body: '{"a":{"user":"y"},"us\\u0065r":"y"}' },
  ],
  ["an id in a text", { body: '{"a":"\\"user\\":\\"x\\""}' }, { body: '{"a":"\\"user\\":\\"y\\""}' }],
  ["a name that ends like an id", { body: '{"a \\"user":"x"}' }, { body: '{"a \\"user":"y"}' }],
  ["an id that is no text", { body: '{"user":1}' }, { body: '{"user":2}' }],
  ["a long id", { body: `{"user":"${long}a"}` }, { body: `{"user":"${long}b"}` }],
  ["an id in a body that is no JSON", { body: '{"user":"x"' }, { body: '{"user":"y"' }],
  [
    "an id in a body that says it is compressed",
    { headers: { "content-encoding": "gzip" }, body: '{"user":"x"}' },
    { headers: { "content-encoding": "gzip" }, body: '{"user":"y"}' },
  ],
  ["the field of another format", { ...anthropic, body: '{"user":"x"}' }, { ...anthropic, body: '{"user":"y"}' }],
  [
    "an id of Anthropic at the top",
    { ...anthropic, body: '{"user_id":"x"}' },
    { ...anthropic, body: '{"user_id":"y"}' },
  ],
  ["whether there is an id", { body: '{"user":"x"}' }, { body: "{}" }],
])("%s counts", (_title, one, other) => {
  expect(digest(one)).not.toBe(digest(other));
});

describe("hostile bodies", () => {
  test.each([
    ["deep", "[".repeat(1_000_000)],
    ["many names", `{${'"a":1,'.repeat(500_000)}"user":"x"}`],
    ["many spaces", `{"user"${" ".repeat(1_000_000)}:"x"}`],
    ["backslashes", `{"user":"${"\\".repeat(1_000_000)}`],
    ["quotes", '"user"'.repeat(500_000)],
    ["roles", `{${'"role":"user",'.repeat(500_000)}"user":"x"}`],
    ["bytes that are no text", "\u0000\uFFFD".repeat(100_000)],
  ])("%s take little time", (_title, body) => {
    const before = performance.now();
    expect(digest({ body })).toMatch(/^[0-9a-f]{64}$/);
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

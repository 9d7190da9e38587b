// What a request can use at most, and of which model, is found in its body, whatever the agent writes there.

import { describe, expect, test } from "@jest/globals";
import type { ModelFormat } from "@dari/domain";
import { worstCaseOf } from "./worst-case.ts";

async function tokensOf(
  format: ModelFormat,
  body: string | Buffer,
  headers: { type?: string; encoding?: string } = {},
): Promise<number | null> {
  const contentType = headers.type ?? "application/json";
  const read = { body: Buffer.from(body), contentType, contentEncoding: headers.encoding };
  return (await worstCaseOf({ format }, read)).tokensMax;
}

async function modelOf(format: ModelFormat, body: string, named?: string): Promise<string | null> {
  const read = { body: Buffer.from(body), contentType: "application/json", contentEncoding: undefined };
  return (await worstCaseOf({ format, model: named }, read)).model;
}

/** The answer's part of the worst case. */
async function outputOf(format: ModelFormat, body: string): Promise<number | null> {
  const tokens = await tokensOf(format, body);
  return tokens === null ? null : tokens - Buffer.byteLength(body) - 1_000;
}

const [chat, responses, messages, gemini] = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
] as const;

describe("the maximum of an answer", () => {
  test.each<[title: string, format: ModelFormat, body: string, output: number | null]>([
    ["chat", chat, '{"messages": [], "max_tokens": 100}', 100],
    ["chat with both names", chat, '{"max_tokens": 7, "max_completion_tokens": 100}', 100],
    ["chat with several answers", chat, '{"max_tokens": 100, "n": 3}', 300],
    ["responses", responses, '{"max_output_tokens":100}', 100],
    ["messages", messages, '\n{"max_tokens" : 100 , "messages": [{"role": "user", "content": "hi"}]}\n', 100],
    ["gemini", gemini, '{"generationConfig": {"maxOutputTokens": 100}}', 100],
    ["gemini with several answers", gemini, '{"generation_config": {"max_output_tokens":5,"candidateCount":2}}', 10],
    ["own tools", messages, '{"max_tokens":1,"tools":[{"name":"a"},{"type":"custom"},{"type":"function"}]}', 1],
    [
      "own tools of gemini",
      gemini,
      '{"generationConfig":{"maxOutputTokens":1},"tools":[{"functionDeclarations":[]}]}',
      1,
    ],
    ["none", chat, '{"messages": []}', null],
    ["another format's name", responses, '{"max_tokens": 100}', null],
    ["the agent's data", messages, '{"messages": [{"content": [{"input": {"max_tokens": 5}}]}]}', null],
    ["text", chat, '{"messages": [{"content": "\\"max_tokens\\": 5, \\\\"}]}', null],
    ["gemini outside of its place", gemini, '{"maxOutputTokens": 5, "a": {"maxOutputTokens": 5}}', null],
  ])("%s", async (_title, format, body, output) => expect(await outputOf(format, body)).toBe(output));
});

describe("what parsers read differently counts as the largest", () => {
  test.each<[title: string, body: string, output: number | null]>([
    ["a name twice", '{"max_tokens": 9000, "max_tokens": 1}', 9_000],
    ["a name twice, the other way", '{"max_tokens": 1, "max_tokens": 9000}', 9_000],
    ["an escaped name", '{"max_tokens": 1, "max\\u005ftokens": 9000}', 9_000],
    ["another case", '{"max_tokens": 1, "Max_Tokens": 9000}', 9_000],
    ["an exponent", '{"max_tokens": 9e3}', 9_000],
    ["a name twice, once null", '{"max_tokens": 5, "max_tokens": null}', null],
    ["a text", '{"max_tokens": "5"}', null],
    ["no limit", '{"max_tokens": -1}', null],
    ["a part of a token", '{"max_tokens": 0.5}', null],
    ["too large a number", '{"max_tokens": 1e999}', null],
    ["a number that does not end", `{"max_tokens": 1.${"0".repeat(300)}e9}`, null],
    ["zero, which can mean none", '{"max_tokens": 0}', null],
    ["letters that some parsers fold", '{"max_tokens": 1, "max_to\u212Aen\u017F": 9000}', 9_000],
    ["a name without quotes", '{"max_tokens": 1, max_tokens: 9000}', null],
    ["a name in other quotes", `{"max_tokens": 1, 'max_tokens': 9000}`, null],
    ["an escape that is not JSON", '{"max_tokens": 1, "max_token\\s": 9000}', null],
    ["a comment", '{"max_tokens": 1 /* , */}', null],
    ["a long name with escapes", `{"max_tokens": 1, "max_tokens${"\\\n".repeat(200)}": 9000}`, null],
    ["literals that are names", '{"max_tokens": 1, nan: 9000}', null],
    ["a type with escapes", '{"max_tokens": 1, "messages": [{"content": [{"type": "im\\u0061ge"}]}]}', null],
    ["answers twice", '{"max_tokens": 10, "n": 1, "n": 4}', 40],
  ])("%s", async (_title, body, output) => expect(await outputOf(chat, body)).toBe(output));

  test("a huge number is larger than every limit, and no more", async () => {
    expect(await tokensOf(chat, '{"max_tokens": 1e300, "n": 1e300}')).toBe(1e12);
  });
});

test("Gemini's parser reads more than JSON, so what is no JSON is not known", async () => {
  for (const body of [
    '{"generationConfig":{"maxOutputTokens":1,maxOutputTokens:65536}}',
    `{"generationConfig":{"maxOutputTokens":1},'generationConfig':{'maxOutputTokens':65536}}`,
    '{"generationConfig":{"maxOutputTokens":1,"maxOutputToken\\s":65536}}',
    '{"generationConfig":{"maxOutputTokens":1},contents:[{parts:[{fileData:{fileUri:"x"}}]}]}',
  ]) {
    expect(await tokensOf(gemini, body)).toBeNull();
  }
});

describe("not known is", () => {
  const max = '"max_output_tokens": 5, "max_tokens": 5, "generationConfig": {"maxOutputTokens": 5}';
  test.each<[title: string, format: ModelFormat, fields: string]>([
    ["an earlier answer", responses, '"previous_response_id": "resp_1"'],
    ["a stored prompt", responses, '"prompt": {"id": "pmpt_1"}'],
    ["a picture", chat, '"messages": [{"content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}]'],
    ["a document", messages, '"messages": [{"content": [{"type": "document", "source": {}}]}]'],
    ["a picture in a tool's result", messages, '"messages": [{"content": [{"content": [{"type": "image"}]}]}]'],
    ["a file", gemini, '"contents": [{"parts": [{"fileData": {"fileUri": "x"}}]}]'],
    ["a cache", gemini, '"cachedContent": "cachedContents/1"'],
    ["a tool of OpenAI", responses, '"tools": [{"type": "web_search"}]'],
    ["a tool of Anthropic", messages, '"tools": [{"name": "a"}, {"type": "web_fetch_20250910", "name": "web_fetch"}]'],
    ["a tool of Gemini", gemini, '"tools": [{"googleSearch": {}}]'],
    ["a second list of tools", responses, '"tools": [{"type": "web_search"}], "tools": []'],
    ["a preset", chat, '"preset": "x"'],
    ["a model with a preset", chat, '"model": "@preset/x"'],
    ["a model that searches", chat, '"model": "openai/gpt-4o:online"'],
  ])("%s", async (_title, format, fields) => {
    expect(await tokensOf(format, `{${max}}`)).not.toBeNull();
    expect(await tokensOf(format, `{${max}, ${fields}}`)).toBeNull();
  });

  test.each<[title: string, body: string | Buffer, headers: { type?: string; encoding?: string }]>([
    ["a compressed body", '{"max_tokens": 5}', { encoding: "gzip" }],
    ["what is no JSON by its type", '{"max_tokens": 5}', { type: "application/x-protobuf" }],
    ["what has no type", '{"max_tokens": 5}', { type: "" }],
    ["another charset", '{"max_tokens": 5}', { type: "application/json; charset=utf-16" }],
    ["zeros", Buffer.from('{"max_tokens": 5}', "utf16le"), {}],
    ["a byte order mark", '\ufeff{"max_tokens": 5}', {}],
    ["a list", '[{"max_tokens": 5}]', {}],
    ["nothing", "", {}],
    ["what is cut", '{"max_tokens": 5', {}],
    ["a text that is cut", '{"max_tokens": 5, "a": "', {}],
    ["two documents", '{"max_tokens": 5} {"max_tokens": 50}', {}],
  ])("%s", async (_title, body, headers) => expect(await tokensOf(chat, body, headers)).toBeNull());
});

describe("the model", () => {
  test.each<[title: string, body: string, model: string | null]>([
    ["is named by the body", '{"model": "gpt-5", "max_tokens": 1}', "gpt-5"],
    ["is known without a maximum of the answer", '{"model": "gpt-5"}', "gpt-5"],
    ["is known if it is named twice", '{"model": "gpt-5", "model": "gpt-5"}', "gpt-5"],
    ["is not known if two are named", '{"model": "gpt-5-pro", "max_tokens": 1, "model": "gpt-5-nano"}', null],
    ["is not known if another case names another", '{"model": "gpt-5-nano", "Model": "gpt-5-pro"}', null],
    ["is not known if one of the two is no text", '{"model": "gpt-5-nano", "model": null}', null],
    ["is not known with escapes", '{"model": "gpt-5-n\\u0061no"}', null],
    ["is not known if an escaped name names it", '{"model": "gpt-5-nano", "mod\\u0065l": "gpt-5-pro"}', null],
    ["is not known if it is long", `{"model": "gpt-5-nano", "model": "${"x".repeat(201)}"}`, null],
    ["is not known with invisible characters", '{"model": "gpt-5\u200b"}', null],
    ["is not known with an invalid byte", '{"model": "gpt-5\ufffd"}', null],
    ["is not known without a name", '{"metadata": {"model": "gpt-5"}}', null],
    ["is not known in what cannot be read", '{"model": "gpt-5", model: "gpt-5-pro"}', null],
  ])("%s", async (_title, body, model) => expect(await modelOf(chat, body)).toBe(model));

  test("of the path counts, and for Gemini must agree with the body", async () => {
    expect(await modelOf(gemini, "{}", "gemini-2.5-flash")).toBe("gemini-2.5-flash");
    expect(await modelOf(gemini, '{"model": "gemini-2.5-pro"}', "gemini-2.5-flash")).toBeNull();
    expect(await modelOf(chat, '{"model": "gpt-5-nano"}', "mine")).toBe("mine");
    for (const name of ["gemini\0", "x".repeat(201)]) expect(await modelOf(gemini, "{}", name)).toBeNull();
  });
});

test("a large body is read while other work goes on", async () => {
  const text = `\\"\\\\${"x".repeat(1_000)}`;
  const content = JSON.stringify({ messages: Array(4_000).fill({ role: "user", content: text }) });
  expect(await outputOf(chat, `${content.slice(0, -1)}, "max_tokens": 3}`)).toBe(3);
  const bodies = [
    `{"max_tokens":3${',"a":1'.repeat(1_000_000)}}`,
    `{"max_tokens":3${',"a\\u0062":1'.repeat(49_000)}}`,
    `{"a":"${'\\"'.repeat(4_000_000)}`,
    `{"a":[${"1,".repeat(4_000_000)}`,
  ];
  for (const body of bodies) {
    let rounds = 0;
    let isDone = false;
    const count = (): void => {
      rounds += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await tokensOf(chat, body).finally(() => (isDone = true));
    expect(rounds).toBeGreaterThan(1);
  }
  const leaving = new AbortController();
  const reading = worstCaseOf(
    { format: chat },
    { body: Buffer.from(bodies[3]!), contentType: "application/json", contentEncoding: undefined },
    leaving.signal,
  );
  leaving.abort();
  expect(await reading).toEqual({ tokensMax: null, inputMax: null, model: null });
});

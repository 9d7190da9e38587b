// Answers of every format are counted as the provider counts them, however they are cut into pieces, and an answer that
// cannot be read says so.

import { describe, expect, test } from "@jest/globals";
import { randomInt } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { ModelAnswer, ModelFormat } from "@dari/domain";
import { waitUntil } from "@dari/testkit";
import { answerExamples } from "../../tests/answer-examples.ts";
import { findModelCall } from "./known-models.ts";
import { createAnswerReader } from "./read-answer.ts";

interface Given {
  readonly format?: ModelFormat;
  readonly contentType?: string;
  readonly contentEncoding?: string;
}

/** Reads pieces of an answer, and waits between two of them if it is compressed: a network is not faster. */
async function readPieces(given: Given, pieces: Iterable<Buffer>, isWhole = true): Promise<ModelAnswer> {
  const { format = "openai-chat", contentType = "application/json", contentEncoding } = given;
  const reader = createAnswerReader({ format }, { contentType, contentEncoding });
  for (const piece of pieces) {
    reader.write(piece);
    if (contentEncoding !== undefined) await reader.read();
  }
  if (isWhole) reader.end();
  const answer = await reader.read();
  reader.close();
  return answer;
}

function* cut(bytes: Buffer, sizeOf: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = at + sizeOf();
    yield bytes.subarray(at, end);
    at = end;
  }
}

const encodings: readonly [string, (bytes: Buffer) => Buffer][] = [
  ["gzip", (bytes) => gzipSync(bytes)],
  ["deflate", (bytes) => deflateSync(bytes)],
  ["br", (bytes) => brotliCompressSync(bytes)],
  ["zstd", (bytes) => zstdCompressSync(bytes)],
];

describe.each(answerExamples)("$title", ({ format, contentType, body, says }) => {
  const bytes = Buffer.from(body);
  // The client of a stream often leaves after its last event. What a cut stream says is not its end.
  const isWhole = !/\bstream\b/.test(contentType) || (says.isComplete === true && format === "gemini");

  test("is read in one piece, byte by byte, and in random pieces", async () => {
    expect(await readPieces({ format, contentType }, [bytes], isWhole)).toEqual(says);
    expect(
      await readPieces(
        { format, contentType },
        cut(bytes, () => 1),
        isWhole,
      ),
    ).toEqual(says);
    for (let round = 0; round < 5; round++) {
      const seed = randomInt(2, 200);
      const pieces = cut(bytes, () => randomInt(1, seed + 1));
      expect(await readPieces({ format, contentType }, pieces, isWhole)).toEqual(says);
    }
  });

  test("is read in every encoding", async () => {
    for (const [contentEncoding, encode] of encodings) {
      const pieces = cut(encode(bytes), () => 100);
      expect(await readPieces({ format, contentType, contentEncoding }, pieces, isWhole)).toEqual(says);
    }
  });
});

const usage = '"usage":{"prompt_tokens":3,"completion_tokens":4}';
const counted = { input: 3, output: 4 };

test("texts of any size pass by: a document of 100 MB, and an event of 100 MB", async () => {
  const text = Buffer.alloc(
    1024 ** 2,
    'text with \\"quotes\\" and {[ of a usual length, and one more sentence of it. ',
  );
  const of = (head: string, tail: string) => [Buffer.from(head), ...Array<Buffer>(100).fill(text), Buffer.from(tail)];
  const before = process.memoryUsage().arrayBuffers;
  const whole = of('{"choices":[{"text":"', `"}],${usage}}`);
  expect(await readPieces({}, whole)).toMatchObject({ ...counted, isComplete: true, unread: null });
  const contentType = "text/event-stream";
  const event = of('data: {"choices":[{"text":"', `","finish_reason":"stop"}],${usage}}\n\n`);
  expect(await readPieces({ contentType }, event)).toMatchObject({ ...counted, isComplete: true, unread: null });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 ** 2);
});

test("deep and numerous values that are not read take no room", async () => {
  const logprobs = JSON.stringify(Array(20_000).fill({ token: "x", logprob: -0.1, top_logprobs: [{ token: "y" }] }));
  const body = `{"choices":[{"logprobs":{"content":${logprobs}},"finish_reason":"stop"}],${usage}}`;
  expect(await readPieces({}, [Buffer.from(body)])).toMatchObject({ ...counted, finishReason: "stop", unread: null });
});

describe("the reader gives up", () => {
  const many = Buffer.from('{"a":1},'.repeat(10_000));
  const bomb = gzipSync(Buffer.alloc(300 * 1024 ** 2));
  const stream = "text/event-stream";
  test.each<[title: string, given: Given, pieces: Buffer[], unread: unknown]>([
    ["at an encoding it does not know", { contentEncoding: "gzip, br" }, [gzipSync("{}")], "encoding"],
    ["at what is not the encoding", { contentEncoding: "gzip" }, [Buffer.from("{}")], "malformed"],
    ["at a document with too many values", {}, [Buffer.from("{"), many], "too_large"],
    ["at an event without an end", { contentType: stream }, [Buffer.from("data: {"), many, many], "too_large"],
    ["at a decompression bomb", { contentEncoding: "gzip" }, [bomb], expect.stringMatching(/^too_(large|fast)$/)],
    ["at a compressed answer that is cut", { contentEncoding: "gzip" }, [gzipSync("{}").subarray(0, 15)], "malformed"],
    ["at an event that is cut", { contentType: stream }, [Buffer.from('data: {"usage":{')], "malformed"],
    ["at a document that is cut", {}, [Buffer.from('{"usage":{')], "malformed"],
    ["at JSON that is none", {}, [Buffer.from("{oops}")], "malformed"],
  ])("%s", async (_title, given, pieces, unread) => {
    const reader = createAnswerReader({ format: "openai-chat" }, head(given));
    for (const piece of pieces) reader.write(piece);
    reader.end();
    let answer = await reader.read();
    for (let round = 0; answer.unread === null && round < 20; round++) answer = await reader.read();
    reader.close();
    expect(answer).toMatchObject({ unread, isComplete: false });
    reader.write(Buffer.from("{}"));
  });

  test("if compressed data arrives faster than it is decompressed", async () => {
    const reader = createAnswerReader({ format: "openai-chat" }, head({ contentEncoding: "gzip" }));
    const piece = gzipSync(Buffer.alloc(1024 ** 2, "x"));
    for (let at = 0; at < 2_000; at++) reader.write(piece);
    expect(await reader.read()).toMatchObject({ unread: "too_fast" });
  });

  function head({ contentType, contentEncoding }: Given) {
    return { contentType: contentType ?? "application/json", contentEncoding };
  }
});

test("only so many compressed answers of a sandbox are read at once", async () => {
  const decompressors = { open: 0 };
  const head = { contentType: "application/json", contentEncoding: "gzip" };
  const open = () => createAnswerReader({ format: "openai-chat" }, head, decompressors);
  const readers = Array.from({ length: 16 }, open);
  expect(await open().read()).toMatchObject({ unread: "too_many" });
  for (const reader of readers) reader.close();
  await waitUntil(() => decompressors.open === 0, { what: "the readers to close" });
  expect(await open().read()).toMatchObject({ unread: null });
});

test("what an answer repeats of its request takes no room", async () => {
  const tools = Array(300).fill({ type: "function", name: "tool", parameters: { type: "object", properties: {} } });
  const response = { status: "completed", tools, output: [], usage: { input_tokens: 3, output_tokens: 4 } };
  const body = `data: ${JSON.stringify({ type: "response.completed", response })}\n\n`;
  const given = { format: "openai-responses", contentType: "text/event-stream" } as const;
  expect(await readPieces(given, [Buffer.from(body)])).toMatchObject({ ...counted, isComplete: true, unread: null });
});

test("Gemini's counts in OpenAI's format have the reasoning only in their total", async () => {
  const call = findModelCall("generativelanguage.googleapis.com", "POST", "/v1beta/openai/chat/completions")!;
  const reader = createAnswerReader(call, { contentType: "application/json", contentEncoding: undefined });
  reader.write(Buffer.from('{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35}}'));
  expect(await reader.read()).toMatchObject({ input: 10, output: 25 });
});

test("one malformed event does not hide the others, but is said", async () => {
  const body = `data: {"a": oops}\n\ndata: {"broken\n\ndata: {${usage}}\n\ndata: [DONE]\n\n`;
  const answer = await readPieces({ contentType: "text/event-stream" }, [Buffer.from(body)]);
  expect(answer).toMatchObject({ ...counted, unread: "malformed", isComplete: false });
});

test("numbers that are no counts are not counted, and long names are cut", async () => {
  const bad = { prompt_tokens: -1, completion_tokens: 1.5, prompt_tokens_details: { cached_tokens: 1e300 } };
  const body = JSON.stringify({ model: "m".repeat(250), choices: "none", usage: bad });
  const answer = await readPieces({}, [Buffer.from(body)]);
  expect(answer).toMatchObject({ input: null, output: null, cachedInput: null, model: "m".repeat(200) });
  expect(await readPieces({}, [Buffer.from('{"usage":[],"choices":[null,1]}')])).toMatchObject({ input: null });
});

test("names that cannot be stored, or would control a terminal, are replaced", async () => {
  const model = `a\0b\u001B[2J${"x".repeat(192)}\u{1F600}`;
  const body = JSON.stringify({ model, choices: [{ finish_reason: "\uD800" }] });
  const answer = await readPieces({}, [Buffer.from(body)]);
  expect([answer.model, answer.finishReason]).toEqual([`a\uFFFDb\uFFFD[2J${"x".repeat(192)}\uFFFD`, "\uFFFD"]);
});

test("a page of a proxy is no answer, and complete", async () => {
  const answer = await readPieces({ contentType: "text/html" }, [Buffer.from("<style>p {color: red}</style>")]);
  expect(answer).toMatchObject({ unread: null, isComplete: true, input: null });
});

test("a reader that is closed while it decompresses does not throw", async () => {
  const reader = createAnswerReader({ format: "gemini" }, { contentType: "application/json", contentEncoding: "br" });
  reader.write(brotliCompressSync(Buffer.alloc(1024 ** 2)));
  reader.close();
  expect(await reader.read()).toMatchObject({ isComplete: false });
});

describe("requests to models", () => {
  const gemini = "generativelanguage.googleapis.com";
  test.each<[host: string, path: string, format: ModelFormat | undefined]>([
    ["api.openai.com", "/v1/chat/completions", "openai-chat"],
    ["eu.api.openai.com", "/v1/responses?x=1", "openai-responses"],
    ["api.openai.com", "//v1/./x/../%72esponses/", "openai-responses"],
    ["api.openai.com", "/v1/responses/resp_1/cancel", undefined],
    ["api.openai.com", "/v1/embeddings", undefined],
    ["xapi.openai.com", "/v1/responses", undefined],
    ["api.openai.com.evil.example", "/v1/responses", undefined],
    ["api.anthropic.com", "/v1/messages?beta=true", "anthropic-messages"],
    ["api.anthropic.com", "/v1/messages/count_tokens", undefined],
    [gemini, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini"],
    [gemini, "/v1beta/models/gemini-2.5-flash%3AgenerateContent", "gemini"],
    [gemini, "/v1beta/models/gemini-2.5-flash:countTokens", undefined],
    [gemini, "/v1beta/openai/chat/completions", "openai-chat"],
    ["team.openai.azure.com", "/openai/deployments/gpt/chat/completions?api-version=1", "openai-chat"],
    ["openrouter.ai", "/api/v1/chat/completions", "openai-chat"],
    ["api.openai.com", "*", undefined],
    ["api.openai.com", "/%zz%", undefined],
  ])("%s%s", (host, path, format) => {
    expect(findModelCall(host, "POST", path)?.format).toBe(format);
    expect(findModelCall(host, "GET", path)).toBeUndefined();
  });

  test.each<[host: string, path: string, model: string]>([
    [gemini, "/v1beta/models/Gemini-2.5-flash:generateContent", "Gemini-2.5-flash"],
    [gemini, "/v1beta/tunedModels/gemini-2.5-flash-lite:generateContent", "tunedModels/gemini-2.5-flash-lite"],
    ["team.openai.azure.com", "/openai/deployments/mine/chat/completions?api-version=1", "mine"],
  ])("%s%s names the model", (host, path, model) => {
    expect(findModelCall(host, "POST", path)).toMatchObject({ model });
  });
});

// The local model servers: scripted replies in each provider's wire format.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { startAnthropicServer, startOpenaiServer, type ModelReply, type ModelServer } from "../src/index.ts";

const said: ModelReply = {
  text: ["It is ", "sunny"],
  toolCalls: [{ name: "note", arguments: { city: "Rome" } }],
  usage: { inputTokens: 7, outputTokens: 3, cachedInputTokens: 2 },
};
const refusal: ModelReply = { error: { status: 429, type: "rate_limit", message: "later" } };

let openai: ModelServer;
let anthropic: ModelServer;

beforeEach(async () => {
  [openai, anthropic] = [await startOpenaiServer(() => said), await startAnthropicServer(() => said)];
});
afterEach(async () => {
  await openai[Symbol.asyncDispose]();
  await anthropic[Symbol.asyncDispose]();
});

const post = (server: ModelServer, path: string, body: object): Promise<Response> =>
  fetch(server.url + path, { method: "POST", body: JSON.stringify(body) });

/** The data of each server-sent event, parsed if it is JSON. */
async function eventsOf(response: Response): Promise<Record<string, unknown>[]> {
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith("data: {"));
  return lines.map((line) => JSON.parse(line.slice("data: ".length)) as Record<string, unknown>);
}

describe("the Responses API", () => {
  test("answers whole", async () => {
    const body = await (await post(openai, "/v1/responses", { model: "m", input: "hi" })).json();
    expect(body).toMatchObject({
      model: "m",
      status: "completed",
      output: [
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "It is sunny" }] },
        { type: "function_call", name: "note", arguments: '{"city":"Rome"}' },
      ],
      usage: { input_tokens: 7, input_tokens_details: { cached_tokens: 2 }, output_tokens: 3, total_tokens: 10 },
    });
  });

  test("streams deltas, in numbered events, and ends with the whole", async () => {
    const events = await eventsOf(await post(openai, "/v1/responses", { model: "m", stream: true }));
    expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_, index) => index));
    const deltas = events.filter((event) => event["type"] === "response.output_text.delta");
    expect(deltas.map((event) => event["delta"])).toEqual(["It is ", "sunny"]);
    expect(events.at(-1)).toMatchObject({
      type: "response.completed",
      response: { output: [{ type: "message" }, { type: "function_call" }], usage: { total_tokens: 10 } },
    });
  });
});

describe("Chat Completions", () => {
  test("answers whole", async () => {
    const body = await (await post(openai, "/v1/chat/completions", { model: "m", messages: [] })).json();
    const call = { type: "function", function: { name: "note", arguments: '{"city":"Rome"}' } };
    expect(body).toMatchObject({
      choices: [{ message: { content: "It is sunny", tool_calls: [call] }, finish_reason: "tool_calls" }],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
    });
  });

  test("streams chunks, with the usage only if requested", async () => {
    const ask = async (options: object): Promise<Record<string, unknown>[]> =>
      eventsOf(await post(openai, "/v1/chat/completions", { model: "m", stream: true, ...options }));
    const chunks = await ask({ stream_options: { include_usage: true } });
    const deltas = chunks.flatMap((chunk) => chunk["choices"] as { delta: { content?: string } }[]);
    expect(deltas.map(({ delta }) => delta.content ?? "").join("")).toBe("It is sunny");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 10 } });
    expect(await ask({})).toHaveLength(chunks.length - 1);
  });
});

describe("the Messages API", () => {
  test("answers whole", async () => {
    const body = await (await post(anthropic, "/v1/messages?beta=true", { model: "m", messages: [] })).json();
    expect(body).toMatchObject({
      type: "message",
      content: [
        { type: "text", text: "It is sunny" },
        { type: "tool_use", name: "note", input: { city: "Rome" } },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 7, output_tokens: 3, cache_read_input_tokens: 2 },
    });
  });

  test("streams blocks", async () => {
    const events = await eventsOf(await post(anthropic, "/v1/messages", { model: "m", stream: true }));
    const deltas = events.filter((event) => event["type"] === "content_block_delta");
    expect(deltas.map((event) => event["delta"])).toEqual([
      { type: "text_delta", text: "It is " },
      { type: "text_delta", text: "sunny" },
      { type: "input_json_delta", partial_json: '{"city":"Rome"}' },
    ]);
    expect(events.at(-2)).toMatchObject({ type: "message_delta", delta: { stop_reason: "tool_use" } });
    expect(events.at(-1)).toEqual({ type: "message_stop" });
  });
});

test("errors have the provider's form, and the next script applies from the next request on", async () => {
  openai.play(() => refusal);
  anthropic.play(() => refusal);
  const [ofOpenai, ofAnthropic] = [await post(openai, "/v1/responses", {}), await post(anthropic, "/v1/messages", {})];
  expect([ofOpenai.status, ofAnthropic.status]).toEqual([429, 429]);
  expect(await ofOpenai.json()).toMatchObject({ error: { type: "rate_limit", message: "later" } });
  expect(await ofAnthropic.json()).toEqual({ type: "error", error: { type: "rate_limit", message: "later" } });
  openai.play(() => ({ text: "now" }));
  expect(await (await post(openai, "/v1/responses", {})).text()).toContain("now");
});

test("requests are stored unchanged; other paths are not found", async () => {
  await post(openai, "/v1/responses", { input: "hi" });
  expect((await post(openai, "/v1/models", {})).status).toBe(404);
  expect(openai.requests).toMatchObject([{ path: "/v1/responses", body: { input: "hi" }, text: '{"input":"hi"}' }]);
});

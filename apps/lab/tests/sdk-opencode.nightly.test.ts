// An exported `{name, instructions}` on OpenCode's own server, from its published packages: tools, streamed text,
// memory across turns and workers, usage, and the exact bytes of images.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, type ModelRequest, type ModelServer } from "@dari/testkit";
import { deploy, send, textOf, textPart } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import {
  exampleAgent,
  moveToAnotherWorker,
  pixel,
  startFleetWith,
  upload,
  usageOfLastRun,
  watchTurn,
} from "../src/sdk-agents.ts";

let fleet: Fleet;
let server: ModelServer;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

test("uses its tools, shows text as it comes, remembers on another worker, and is shown images", async () => {
  const { agentId } = await deploy(fleet, exampleAgent("opencode", { OPENAI_BASE_URL: `${server.url}/v1` }));
  const { id: session } = await fleet.client.createSession(agentId);

  const seen = Promise.withResolvers<void>();
  async function* pieces(): AsyncGenerator<string> {
    yield "Noted ";
    await seen.promise;
    yield "it. 😀";
  }
  const writes = { name: "write", arguments: { filePath: "notes.md", content: "# Notes" } };
  server.play((request) => {
    // OpenCode also asks for a title.
    if (!hasTools(request)) return { text: "A title" };
    const usage = { inputTokens: 20, outputTokens: 5, cachedInputTokens: 4, reasoningTokens: 2 };
    return request.text.includes("function_call_output") ? { text: pieces(), usage } : { toolCalls: [writes], usage };
  });
  const first = await watchTurn(fleet, session, { parts: [textPart("Take notes")] }, (shown) => {
    if (shown === "Noted ") seen.resolve();
  });
  expect(textOf(first.record)).toBe("Noted it. 😀");
  expect(first.shownText).toBe("Noted it. 😀");
  expect(first.record.files_changed).toEqual([{ path: "/notes.md", change: "created", size_bytes: 7 }]);
  expect(first.record.output?.usage).toMatchObject({
    requests: 2,
    input_tokens: 40,
    output_tokens: 10,
    total_tokens: 50,
    reasoning_tokens: 4,
  });

  await moveToAnotherWorker(fleet);
  server.play(() => ({ text: "Seen" }));
  const image = await upload(fleet, "chart.png", Buffer.from(pixel, "base64"));
  const parts = [textPart("And this?"), { type: "image" as const, file_id: image }];
  expect(textOf(await send(fleet, session, { parts }))).toBe("Seen");
  const text = server.requests.findLast(hasTools)?.text ?? "";
  expect(text).toContain("Take notes");
  expect(text).toContain("function_call_output");
  expect(text).toContain(`data:image/png;base64,${pixel}`);

  let requests = 0;
  server.play((request) => {
    if (!hasTools(request)) return { text: "A title" };
    requests += 1;
    if (requests === 1) return { toolCalls: [writes], usage: { inputTokens: 20, outputTokens: 5 } };
    return { error: { status: 400, type: "invalid_request_error", message: "the model is away" } };
  });
  const failed = await send(fleet, session, "Do not remember this");
  expect(failed).toMatchObject({ status: "failed", output: { error: { code: "agent_error" } } });
  // What was used before the failure counts.
  const usedUntilThen = await usageOfLastRun(fleet, session, failed.id);
  expect(usedUntilThen).toMatchObject({ input_tokens: 20, output_tokens: 5, total_tokens: 25 });
  expect(failed.output?.error?.message).toContain("the model is away");
  server.play(() => ({ text: "Back" }));
  expect(textOf(await send(fleet, session, "Still there?"))).toBe("Back");
  expect(server.requests.findLast(hasTools)?.text).not.toContain("Do not remember this");

  const task = { description: "Counts", prompt: "Count the files", subagent_type: "general" };
  server.play((request) => {
    const usage = { inputTokens: 100, outputTokens: 10, reasoningTokens: 3 };
    if (!hasTools(request)) return { text: "A title", usage };
    const isMain = request.text.includes("Delegate it");
    if (!isMain || request.text.includes("There is one file")) return { text: "There is one file", usage };
    return { toolCalls: [{ name: "task", arguments: task }], usage };
  });
  const delegated = await send(fleet, session, "Delegate it");
  expect(textOf(delegated)).toBe("There is one file");
  // One of the requests is the subagent's.
  const used = { requests: 3, input_tokens: 300, output_tokens: 30, reasoning_tokens: 9 };
  expect(delegated.output?.usage).toMatchObject(used);
}, 400_000);

test("one server serves the turns of a session that reuses its process", async () => {
  const example = exampleAgent("opencode", { OPENAI_BASE_URL: `${server.url}/v1` }) as Record<string, string>;
  const manifest = example["dari.yml"]!.replace("runtime:\n", "runtime:\n  reuse: session\n");
  const { agentId } = await deploy(fleet, { ...example, "dari.yml": manifest });
  const { id: session } = await fleet.client.createSession(agentId);
  // The server is the parent of the processes that its tools run.
  const asks = { name: "bash", arguments: { command: "echo parent=$PPID", description: "Says who runs it" } };
  server.play((request) => {
    if (!hasTools(request)) return { text: "A title" };
    const parents = [...request.text.matchAll(/parent=(\d+)/g)].map(([, pid]) => pid);
    const turns = request.text.match(/Who runs you, [AB]/g)?.length ?? 0;
    return parents.length >= turns ? { text: parents.join() } : { toolCalls: [asks] };
  });
  const first = await send(fleet, session, "Who runs you, A");
  const second = await send(fleet, session, "Who runs you, B");
  const parent = textOf(first);
  expect(textOf(second)).toBe(`${parent},${parent}`);
  expect(await fleet.client.getMessageLogs(second.id)).not.toContain("is not kept for the session's next turn");

  // HOME also holds a part of its memory.
  await moveToAnotherWorker(fleet);
  server.play((request) => ({ text: request.text.includes("runs you, B") ? "Remembered" : "Forgotten" }));
  expect(textOf(await send(fleet, session, "And now?"))).toBe("Remembered");
}, 400_000);

test("an object alone, without a package.json, is given OpenCode", async () => {
  const example = exampleAgent("opencode", { OPENAI_BASE_URL: `${server.url}/v1` });
  const { "package.json": _, ...files } = example as Record<string, string>;
  const { agentId } = await deploy(fleet, files);
  const { id: session } = await fleet.client.createSession(agentId);
  server.play(() => ({ text: "Hello" }));
  expect(textOf(await send(fleet, session, "hi"))).toBe("Hello");
}, 400_000);

const hasTools = (request: ModelRequest): boolean => Array.isArray(request.body["tools"]);

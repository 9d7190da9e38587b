// An exported `Agent` of OpenAI's SDK, in both languages, from its published package: tools, streamed text, memory
// across turns and workers, usage, and the exact bytes of images and files.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import {
  atNight,
  startOpenaiServer,
  waitUntil,
  type ModelReply,
  type ModelRequest,
  type ModelServer,
} from "@dari/testkit";
import { deploy, ended, manifestFile, post, send, textOf, textPart } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { exampleAgent, moveToAnotherWorker, pixel, startFleetWith, upload, watchTurn } from "../src/sdk-agents.ts";
import { jsShapes, pythonShapes } from "../src/sdk-shapes.ts";

let fleet: Fleet;
let server: ModelServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
  env = { OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_AGENTS_DISABLE_TRACING: "1" };
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const usage = { inputTokens: 20, outputTokens: 5, cachedInputTokens: 4 };

const jsPackage = (version: string): string =>
  JSON.stringify({ type: "module", dependencies: { "@openai/agents": version, zod: "4.3.6" } });

describe.each([
  { example: "openai-agents-js", older: { "package.json": jsPackage("0.8.3") } },
  { example: "openai-agents-python", older: { "requirements.txt": "openai-agents==0.13.5\n" } },
])("$example", ({ example, older }) => {
  const run = example === "openai-agents-js" ? test : atNight(test);
  run(
    "calls its tool, shows text as it comes, remembers on another worker, and is shown files",
    async () => {
      const { agentId } = await deploy(fleet, exampleAgent(example, env));
      const { id: session } = await fleet.client.createSession(agentId);

      const seen = Promise.withResolvers<void>();
      async function* pieces(): AsyncGenerator<string> {
        yield "Saved ";
        await seen.promise;
        yield "it. 😀";
      }
      server.play((request) => (calledTool(request) ? { text: pieces(), usage } : callTool));
      const first = await watchTurn(fleet, session, { parts: [textPart("Two days in Rome")] }, (shown) => {
        if (shown === "Saved ") seen.resolve();
      });
      expect(textOf(first.record)).toBe("Saved it. 😀");
      expect(first.shownText).toBe("Saved it. 😀");
      expect(first.record.files_changed).toEqual([{ path: "/itinerary.md", change: "created", size_bytes: 6 }]);
      expect(first.record.output?.usage).toEqual({
        requests: 2,
        input_tokens: 30,
        output_tokens: 10,
        total_tokens: 40,
        cached_input_tokens: 4,
        reasoning_tokens: 0,
      });
      const { data } = await fleet.client.listEvents(session, { limit: 100 });
      expect(data.filter((event) => event.type === "agent.event").map((event) => event.data)).toEqual([
        { name: "itinerary.saved", data: { characters: 6 } },
      ]);

      await moveToAnotherWorker(fleet);
      server.play(() => ({ text: "Seen" }));
      const image = await upload(fleet, "map.png", Buffer.from(pixel, "base64"));
      const file = await upload(fleet, "ticket.pdf", Buffer.from("%PDF-1.4 of a ticket"));
      const parts = [
        textPart("And this?"),
        { type: "image" as const, file_id: image },
        { type: "file" as const, file_id: file },
      ];
      expect(textOf(await send(fleet, session, { parts }))).toBe("Seen");
      const input = lastInput();
      expect(input.map((item) => item["type"] ?? item["role"]).join(" ")).toMatch(/function_call function_call_output/);
      expect(JSON.stringify(input)).toContain("Two days in Rome");
      expect(JSON.stringify(input)).toContain("Saved it. 😀");
      expect(input.at(-1)?.["content"]).toEqual([
        { type: "input_text", text: "And this?" },
        { type: "input_image", image_url: `data:image/png;base64,${pixel}`, detail: "auto" },
        { type: "input_file", file_data: pdfData, filename: "ticket.pdf" },
      ]);

      // A refusal by the model fails the turn with the model's error; the conversation continues without it.
      server.play(() => ({ error: { status: 400, type: "invalid_request_error", message: "the model is away" } }));
      const failed = await send(fleet, session, "Do not remember this");
      expect(failed).toMatchObject({ status: "failed", output: { error: { code: "agent_error" } } });
      expect(failed.output?.error?.message).toContain("the model is away");
      server.play(() => ({ text: "Back" }));
      expect(textOf(await send(fleet, session, "Still there?"))).toBe("Back");
      expect(JSON.stringify(lastInput())).not.toContain("Do not remember this");
      expect(JSON.stringify(lastInput())).toContain(`data:image/png;base64,${pixel}`);
    },
    300_000,
  );

  atNight(test)(
    "asks a person for each tool that needs approval, and continues from there; its usage is counted",
    async () => {
      const { agentId } = await deploy(fleet, exampleAgent(example, env));
      const { id: session } = await fleet.client.createSession(agentId);
      await fleet.client.putBudget({ session_id: session, period: "total", max_tokens: 999 });
      const used = async (): Promise<number | undefined> => {
        const { data } = await fleet.client.listBudgets();
        return data.find((budget) => budget.target_id === session)?.tokens;
      };
      server.play((request) => (calledTool(request) ? { text: "Booked one", usage } : bookTwo));
      const waiting = await askedOrEnded(await post(fleet, session, "Book the flight and the hotel"));
      expect(waiting).toMatchObject({ status: "waiting_for_input", inputs: [{ status: "waiting" }] });
      expect(waiting.inputs?.[0]?.prompt).toMatch(
        /^Trip planner wants to use book with \{"what":"flight","euros":80\}$/,
      );
      expect(await used()).toBe(15);
      const first = await decide(waiting, { approved: true });
      expect(first.inputs).toMatchObject([{ status: "answered" }, { status: "waiting" }]);
      const done = await decide(first, { approved: false, reason: "too dear" });
      expect(textOf(done)).toBe("Booked one");
      expect(done.files_changed).toEqual([{ path: "/bookings.md", change: "created", size_bytes: 17 }]);
      expect(JSON.stringify(lastInput())).toContain("too dear");
      // The first call of the model belongs to the first attempt.
      expect(done.output?.usage).toMatchObject({ requests: 1, input_tokens: 20, output_tokens: 5 });
      expect(await used()).toBe(40);
    },
    300_000,
  );

  atNight(test)(
    "runs with the older version of its package as well, and remembers",
    async () => {
      const { agentId } = await deploy(fleet, exampleAgent(example, env, older));
      const { id: session } = await fleet.client.createSession(agentId);
      server.play((request) => (calledTool(request) ? { text: ["Done", "."], usage } : callTool));
      const first = await send(fleet, session, "Two days in Rome");
      expect(textOf(first)).toBe("Done.");
      expect(first.output?.usage).toMatchObject({ requests: 2, input_tokens: 30, output_tokens: 10 });
      server.play(() => ({ text: "Rome" }));
      expect(textOf(await send(fleet, session, "Where?"))).toBe("Rome");
      expect(JSON.stringify(lastInput())).toContain("function_call_output");
    },
    300_000,
  );
});

describe.each([
  { language: "typescript", version: "22", shapes: jsShapes },
  { language: "python", version: "3.11", shapes: pythonShapes },
])("in $language", ({ language, version, shapes }) => {
  atNight(test).each(shapes)(
    "$title is run",
    async ({ entrypoint, files, answers, says }) => {
      const secrets = ["OPENAI_API_KEY"];
      const manifest = { sdk: "openai-agents", entrypoint, runtime: { language, version }, secrets, env };
      const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
      const { id: session } = await fleet.client.createSession(agentId);
      server.play(answers);
      expect(textOf(await send(fleet, session, "Where to?"))).toBe(says);
    },
    400_000,
  );
});

atNight(test)(
  "what an agent sets in its SDK holds for its runner: it speaks Chat Completions",
  async () => {
    const example = exampleAgent("openai-agents-js", env);
    const source = `import { setOpenAIAPI } from "@openai/agents";\nsetOpenAIAPI("chat_completions");\n`;
    const path = "src/agent.js";
    const { agentId } = await deploy(fleet, { ...example, [path]: source + (example[path] ?? "") });
    const { id: session } = await fleet.client.createSession(agentId);
    server.play((request) => (request.text.includes('"role":"tool"') ? { text: "Saved it", usage } : callTool));
    const image = await upload(fleet, "map.png", Buffer.from(pixel, "base64"));
    const parts = [textPart("Two days in Rome"), { type: "image" as const, file_id: image }];
    const record = await send(fleet, session, { parts });
    expect(textOf(record)).toBe("Saved it");
    expect(record.output?.usage).toMatchObject({ requests: 2, total_tokens: 40 });
    expect(server.requests.at(-1)?.path).toBe("/v1/chat/completions");
    expect(server.requests.at(-1)?.text).toContain(`"url":"data:image/png;base64,${pixel}"`);
  },
  300_000,
);

atNight(test)(
  "a turn that is cancelled while its model thinks leaves no memory",
  async () => {
    const { agentId } = await deploy(fleet, exampleAgent("openai-agents-js", env));
    const { id: session } = await fleet.client.createSession(agentId);
    const asked = Promise.withResolvers<void>();
    const never = Promise.withResolvers<ModelReply>();
    server.play(() => {
      asked.resolve();
      return never.promise;
    });
    const { id } = await post(fleet, session, "Forget this");
    await asked.promise;
    await fleet.client.cancelMessage(id);
    expect(await ended(fleet, id)).toMatchObject({ status: "cancelled" });
    server.play(() => ({ text: "Hello" }));
    expect(textOf(await send(fleet, session, "hi"))).toBe("Hello");
    expect(JSON.stringify(lastInput())).not.toContain("Forget this");
  },
  300_000,
);

atNight(test)(
  "the model gets the text of an interrupted turn in the next one",
  async () => {
    const { agentId } = await deploy(fleet, exampleAgent("openai-agents-js", env));
    const { id: session } = await fleet.client.createSession(agentId);
    server.play(() => ({ text: "Hello" }));
    await send(fleet, session, "hi");
    const never = Promise.withResolvers<string>();
    async function* pieces(): AsyncGenerator<string> {
      yield "First of all";
      yield await never.promise;
    }
    server.play((request) => (request.text.includes("Shorter") ? { text: "Short" } : { text: pieces() }));
    let next: Promise<MessageRecord> | undefined;
    await watchTurn(fleet, session, { parts: [textPart("Tell me all")] }, () => {
      next ??= send(fleet, session, { parts: [textPart("Shorter")], on_busy: "interrupt" });
    });
    expect(next && textOf(await next)).toBe("Short");
    const said = lastInput().map(({ role, content }) => [role, content]);
    expect(said).toEqual([
      ["user", [{ type: "input_text", text: "hi" }]],
      ["assistant", [expect.objectContaining({ text: "Hello" })]],
      ["user", [{ type: "input_text", text: "Tell me all" }]],
      ["assistant", [expect.objectContaining({ text: "First of all" })]],
      ["user", [{ type: "input_text", text: "Shorter" }]],
    ]);
  },
  300_000,
);

const pdfData = `data:application/pdf;base64,${Buffer.from("%PDF-1.4 of a ticket").toString("base64")}`;

const callTool: ModelReply = {
  toolCalls: [{ name: "save_itinerary", arguments: { markdown: "# Rome" } }],
  usage: { inputTokens: 10, outputTokens: 5 },
};

const bookTwo: ModelReply = {
  toolCalls: [
    { name: "book", arguments: { what: "flight", euros: 80 } },
    { name: "book", arguments: { what: "hotel", euros: 900 } },
  ],
  usage: { inputTokens: 10, outputTokens: 5 },
};

/** Answers the message's open input. */
async function decide(waiting: MessageRecord, value: unknown): Promise<MessageRecord> {
  await fleet.client.answerInput(waiting.id, { key: waiting.inputs?.at(-1)?.key ?? "", value });
  return askedOrEnded(waiting);
}

/** Waits until the message waits for one more input or has ended. */
function askedOrEnded({ id, inputs = [] }: MessageRecord): Promise<MessageRecord> {
  return waitUntil(
    async () => {
      const now = await fleet.client.getMessage(id);
      const asksAgain = now.status === "waiting_for_input" && (now.inputs?.length ?? 0) > inputs.length;
      return (asksAgain || now.completed_at !== null) && now;
    },
    { what: "the next approval, or the end", timeoutMs: 60_000 },
  );
}

const inputOf = (request: ModelRequest | undefined): Record<string, unknown>[] =>
  (request?.body["input"] ?? []) as Record<string, unknown>[];

const calledTool = (request: ModelRequest): boolean => request.text.includes("function_call_output");

const lastInput = (): Record<string, unknown>[] => inputOf(server.requests.at(-1));

// The unmodified `openai` packages of npm and PyPI against a running platform.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { atNight } from "@dari/testkit";
import { manifestFile } from "../src/conversation.ts";
import { run } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { npmPackage } from "../src/npm-programs.ts";
import { openRendezvous } from "../src/rendezvous.ts";
import { pythonEnvironment, type PythonEnvironment } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const npmVersion = "7.59.0";
const pythonVersion = "3.57.0";

const agentFiles = {
  ...manifestFile({ name: "greeter", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { readdirSync, readFileSync, writeFileSync } from "node:fs";
    export async function* agent(prompt, context) {
      if (prompt === "fail") throw new Error("as asked");
      if (prompt.startsWith("http")) return (await fetch(prompt)).text();
      if (prompt.startsWith("keep ")) {
        writeFileSync(prompt.slice(5) + ".kept", "");
        return "kept";
      }
      if (prompt === "list") {
        const kept = readdirSync(".").filter((name) => name.endsWith(".kept"));
        return kept.map((name) => name.slice(0, -5)).sort().join();
      }
      if (prompt === "look up") yield await context.tool("lookup", { of: "Rome" }, () => "found ");
      if (prompt === "read") {
        const files = context.parts.flatMap((part) => part.path ?? []);
        yield files.map((file) => readFileSync(file, "utf8")).join();
      }
      writeFileSync("said.txt", prompt);
      yield "You said: ";
      yield prompt;
    }`,
};

const dir = mkdtempSync(path.join(tmpdir(), "dari-openai-"));
let platform: StandaloneProcess;

beforeAll(async () => {
  platform = await startStandalone();
  await deployFiles(platform, agentFiles);
}, 180_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

interface Item {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface OpenAiResponse {
  readonly id: string;
  readonly status: string;
  readonly output_text: string;
  readonly output: readonly Item[];
  readonly error: { readonly message: string } | null;
}

interface StreamEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
}

type ResponseStream = AsyncIterable<StreamEvent> & { finalResponse(): Promise<OpenAiResponse> };

/** The parts of the package that the tests use. Its own types are not installed with this repository. */
interface OpenAiClient {
  readonly models: {
    list(): Promise<{ readonly data: readonly { readonly id: string }[] }>;
    retrieve(model: string): Promise<{ readonly id: string }>;
  };
  readonly responses: {
    create(body: object): Promise<OpenAiResponse & AsyncIterable<StreamEvent>>;
    stream(body: object): ResponseStream;
    retrieve(id: string, query?: object): Promise<OpenAiResponse & AsyncIterable<StreamEvent>>;
    cancel(id: string): Promise<OpenAiResponse>;
    delete(id: string): Promise<void>;
    readonly inputItems: { list(id: string): Promise<{ readonly data: readonly Item[] }> };
  };
  readonly conversations: {
    create(body: object): Promise<{ readonly id: string }>;
    retrieve(id: string): Promise<{ readonly metadata: object }>;
    update(id: string, body: object): Promise<{ readonly metadata: object }>;
    delete(id: string): Promise<{ readonly deleted: boolean }>;
    readonly items: { list(id: string, query: object): AsyncIterable<Item> };
  };
  readonly files: {
    create(body: object): Promise<UploadedFile>;
    retrieve(id: string): Promise<UploadedFile>;
    waitForProcessing(id: string): Promise<UploadedFile>;
    list(query: object): AsyncIterable<UploadedFile>;
    content(id: string): Promise<Response>;
    delete(id: string): Promise<{ readonly deleted: boolean }>;
  };
  readonly chat: { readonly completions: { create(body: object): Promise<Completion & AsyncIterable<Completion>> } };
}

interface UploadedFile {
  readonly id: string;
  readonly bytes: number;
  readonly status: string;
}

interface Completion {
  readonly choices: readonly {
    readonly message: { readonly content: string };
    readonly delta: { readonly content?: string };
  }[];
  readonly usage?: object;
}

describe("the package of npm", () => {
  let client: OpenAiClient;
  let open: (options: object) => OpenAiClient;
  beforeAll(async () => {
    const home = await npmPackage("openai", npmVersion);
    const { default: OpenAI } = (await import(pathToFileURL(path.join(home, "index.mjs")).href)) as {
      default: new (options: object) => OpenAiClient;
    };
    const own = { apiKey: platform.apiKey, baseURL: `${platform.apiUrl}/openai/v1` };
    open = (options) => new OpenAI({ ...own, ...options });
    client = open({});
  }, 180_000);

  test("lists and gets models", async () => {
    expect((await client.models.list()).data).toMatchObject([{ id: "greeter" }]);
    expect(await client.models.retrieve("greeter")).toMatchObject({ id: "greeter" });
  });

  test("creates, reads, lists the input of, and deletes a response", async () => {
    const response = await client.responses.create({ model: "greeter", input: "hello" });
    expect(response).toMatchObject({ status: "completed", output_text: "You said: hello" });
    expect(await client.responses.retrieve(response.id)).toMatchObject({ output_text: "You said: hello" });
    const { data } = await client.responses.inputItems.list(response.id);
    expect(data).toMatchObject([{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }]);
    await client.responses.delete(response.id);
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404, code: "not_found" });
  });

  test("streams a response, and its own accumulator ends with the same output", async () => {
    const stream = client.responses.stream({ model: "greeter", input: "look up" });
    let text = "";
    let last = -1;
    for await (const event of stream) {
      expect(event.sequence_number).toBeGreaterThan(last);
      last = event.sequence_number;
      if (event.type === "response.output_text.delta") text += event.delta ?? "";
    }
    const response = await stream.finalResponse();
    expect([text, response.output_text]).toEqual(["found You said: look up", "found You said: look up"]);
    expect(response.output.map(({ type }) => type).sort()).toEqual(["mcp_call", "message"]);
    expect(response.output).toContainEqual(
      expect.objectContaining({ type: "mcp_call", name: "lookup", arguments: '{"of":"Rome"}', output: "found " }),
    );
    const { output } = await client.responses.retrieve(response.id);
    expect(output).toEqual(response.output.map(({ content, ...item }) => withoutParsed(item, content)));
  });

  test("runs a response in the background, and streams it from its first event", async () => {
    const { id, status } = await client.responses.create({ model: "greeter", input: "later", background: true });
    expect(["queued", "in_progress"]).toContain(status);
    const types: string[] = [];
    for await (const event of await client.responses.retrieve(id, { stream: true })) types.push(event.type);
    expect([types[0], types.at(-1)]).toEqual(["response.created", "response.completed"]);
    expect(await client.responses.cancel(id)).toMatchObject({ id, status: "completed" });
  });

  test("sends a file in the request", async () => {
    const file_data = `data:text/plain;base64,${Buffer.from("inside").toString("base64")}`;
    const content = [
      { type: "input_text", text: "read" },
      { type: "input_file", filename: "note.txt", file_data },
    ];
    const response = await client.responses.create({ model: "greeter", input: [{ role: "user", content }] });
    expect(response.output_text).toBe("insideYou said: read");
  });

  test("uploads files, sends them, lists them page by page, reads and deletes them", async () => {
    const upload = (text: string) =>
      client.files.create({ file: new File([text], "note.txt", { type: "text/plain" }), purpose: "user_data" });
    const [first, second] = [await upload("one"), await upload("two ")];
    expect(await client.files.retrieve(first.id)).toMatchObject({ bytes: 3, filename: "note.txt" });
    expect(await client.files.waitForProcessing(first.id)).toMatchObject({ status: "processed" });
    const content = [
      { type: "input_text", text: "read" },
      { type: "input_file", file_id: second.id },
    ];
    const response = await client.responses.create({ model: "greeter", input: [{ role: "user", content }] });
    expect(response.output_text).toBe("two You said: read");
    const listed: string[] = [];
    for await (const { id } of client.files.list({ limit: 1 })) listed.push(id);
    expect(listed.slice(0, 2)).toEqual([second.id, first.id]);
    expect(await (await client.files.content(first.id)).text()).toBe("one");
    for (const { id } of [first, second]) expect(await client.files.delete(id)).toMatchObject({ deleted: true });
    await expect(client.files.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    await expect(client.files.create({ file: new File(["x"], "x"), purpose: "batch" })).rejects.toMatchObject({
      status: 400,
      param: "purpose",
    });
  });

  test("repeats a request after its time limit, and gets the answer of the first one's turn", async () => {
    await using meeting = await openRendezvous();
    let requests = 0;
    const impatient = open({
      timeout: 2_000,
      maxRetries: 5,
      fetch(url: string, init: RequestInit) {
        requests += 1;
        if (requests === 2) meeting.open("slow");
        return fetch(url, init);
      },
    });
    const response = await impatient.responses.create({ model: "greeter", input: meeting.urlOf("slow") });
    expect([response.status, response.output_text, meeting.arrivals("slow")]).toEqual(["completed", "go", 1]);
    expect(requests).toBeGreaterThan(1);
  });

  test("continues responses as a tree: each branch has its own files", async () => {
    const ask = (input: string, previous_response_id?: string) =>
      client.responses.create({ model: "greeter", input, previous_response_id });
    const root = await ask("keep a");
    const [left, right] = [await ask("keep b", root.id), await ask("keep c", root.id)];
    const texts = [await ask("list", left.id), await ask("list", right.id), await ask("list", root.id)];
    expect(texts.map(({ output_text: text }) => text)).toEqual(["a,b", "a,c", "a"]);
  });

  test("keeps a conversation, and pages through its items", async () => {
    const { id } = await client.conversations.create({ model: "greeter", metadata: { topic: "x" } });
    for (const input of ["one", "two"]) await client.responses.create({ conversation: id, input });
    expect(await client.conversations.update(id, { metadata: { topic: "y" } })).toMatchObject({
      metadata: { topic: "y" },
    });
    expect(await client.conversations.retrieve(id)).toMatchObject({ metadata: { topic: "y" } });
    const texts: unknown[] = [];
    for await (const { content } of client.conversations.items.list(id, { order: "asc", limit: 1 })) {
      texts.push((content as { text: string }[])[0]?.text);
    }
    expect(texts).toEqual(["one", "You said: one", "two", "You said: two"]);
    expect(await client.conversations.delete(id)).toMatchObject({ deleted: true });
  });

  test("completes chats, streamed and not, in one session", async () => {
    const messages = [{ role: "user", content: "keep chat" }];
    const first = await client.chat.completions.create({ model: "greeter", messages });
    const content = first.choices[0]?.message.content;
    expect(content).toBe("kept");
    const next = [...messages, { role: "assistant", content }, { role: "user", content: "list" }];
    const stream_options = { include_usage: true };
    const stream = await client.chat.completions.create({
      model: "greeter",
      messages: next,
      stream: true,
      stream_options,
    });
    let text = "";
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    expect(text).toBe("chat");
  });

  test("gets its own classes of errors", async () => {
    const failing = client.responses.create({ model: "greeter", input: "x", temperature: 0 });
    await expect(failing).rejects.toMatchObject({
      status: 400,
      param: "temperature",
      type: "invalid_request_error",
    });
    const unknown = client.responses.create({ model: "gpt-4o", input: "x" });
    await expect(unknown).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    const failed = await client.responses.create({ model: "greeter", input: "fail" });
    expect(failed).toMatchObject({ status: "failed", error: { message: expect.stringContaining("as asked") } });
  });
});

/** The package's accumulator adds a field to each content. */
function withoutParsed(item: object, content: unknown): object {
  if (!Array.isArray(content)) return item;
  return { ...item, content: content.map(({ parsed: _parsed, ...part }: Item) => part) };
}

atNight(describe)("the package of PyPI", () => {
  let python: PythonEnvironment;
  beforeAll(async () => {
    python = await pythonEnvironment("openai", [`openai==${pythonVersion}`]);
    writeFileSync(path.join(dir, "talk.py"), script);
  }, 300_000);

  test("creates, streams and reads responses", async () => {
    const env = { OPENAI_API_KEY: platform.apiKey, OPENAI_BASE_URL: `${platform.apiUrl}/openai/v1` };
    const { code, stdout, stderr } = await run(python.program("python"), [path.join(dir, "talk.py")], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toEqual([
      "greeter",
      "completed You said: hello",
      "response.created response.completed You said: again",
      "You said: again",
      "True True",
      "You said: chat",
      "You said: chat",
      "BadRequestError tools",
    ]);
  }, 60_000);

  test("repeats a request after its time limit, and gets the answer of the first one's turn", async () => {
    await using meeting = await openRendezvous();
    const env = { OPENAI_API_KEY: platform.apiKey, OPENAI_BASE_URL: `${platform.apiUrl}/openai/v1` };
    writeFileSync(path.join(dir, "repeat.py"), repeatingScript);
    const urls = [meeting.urlOf("slow"), meeting.urlOf("again")];
    const running = run(python.program("python"), [path.join(dir, "repeat.py"), ...urls], { env });
    await meeting.arrived("again");
    meeting.open("slow");
    meeting.open("again");
    const { code, stdout, stderr } = await running;
    expect({ code, stderr, stdout, turns: meeting.arrivals("slow") }).toEqual({
      code: 0,
      stderr: "",
      stdout: "completed go\n",
      turns: 1,
    });
  }, 120_000);
});

/** Calls the second address before its second request. */
const repeatingScript = `
import sys, urllib.request
from openai import DefaultHttpxClient, OpenAI
requests = 0
def before(request):
    global requests
    requests += 1
    if requests == 2:
        urllib.request.urlopen(sys.argv[2]).read()
client = OpenAI(timeout=2, max_retries=5, http_client=DefaultHttpxClient(event_hooks={"request": [before]}))
response = client.responses.create(model="greeter", input=sys.argv[1])
print(response.status, response.output_text)
`;

const script = `
from openai import BadRequestError, OpenAI
client = OpenAI()
print(*[model.id for model in client.models.list()])
response = client.responses.create(model="greeter", input="hello")
print(response.status, response.output_text)
with client.responses.stream(model="greeter", input="again") as stream:
    types = [event.type for event in stream]
    final = stream.get_final_response()
print(types[0], types[-1], final.output_text)
print(client.responses.retrieve(final.id).output_text)
more = client.responses.create(input="more", previous_response_id=final.id)
print(more.previous_response_id == final.id, more.conversation.id == final.conversation.id)
messages = [{"role": "user", "content": "chat"}]
print(client.chat.completions.create(model="greeter", messages=messages).choices[0].message.content)
chunks = client.chat.completions.create(model="greeter", messages=messages, stream=True)
print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
try:
    client.responses.create(model="greeter", input="x", tools=[{"type": "web_search"}])
except BadRequestError as error:
    print(type(error).__name__, error.param)
`;

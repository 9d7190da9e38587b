// `dari mcp` as a model's program uses it: the protocol's own client, over stdio, against a running platform.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { machineEnvironment } from "../src/config.ts";
import { manifestFile } from "../src/conversation.ts";
import { dariCommand } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { openRendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

/** Answers with its prompt. If the prompt is an address, it first calls that address. */
const agentFiles = {
  ...manifestFile({ name: "greeter", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { writeFileSync } from "node:fs";
    export async function agent(prompt, context) {
      writeFileSync("said.txt", prompt);
      writeFileSync("bytes.bin", Buffer.from([255, 254]));
      if (prompt.startsWith("http")) await (await fetch(prompt)).text();
      if (prompt === "fail") throw new Error("as asked");
      if (prompt === "ask") return "told " + (await context.requestInput("who", { type: "string" }));
      return "You said: " + prompt;
    }`,
};

const dir = mkdtempSync(join(tmpdir(), "dari-mcp-"));
let platform: StandaloneProcess;
let agentId: string;
let client: Client;

beforeAll(async () => {
  platform = await startStandalone();
  agentId = (await deployFiles(platform, agentFiles)).agentId;
  client = new Client({ name: "test", version: "1" });
  const env = { ...machineEnvironment(), DARI_API_URL: platform.apiUrl, DARI_API_KEY: platform.apiKey };
  const [flag, bin] = dariCommand;
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [flag, bin, "mcp"], env, cwd: dir, stderr: "inherit" }),
  );
}, 180_000);

afterAll(async () => {
  await client?.close();
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

/** The text of a tool's answer, and whether it is an error. */
async function call(
  name: string,
  input: Record<string, unknown>,
  options: Parameters<Client["callTool"]>[2] = {},
): Promise<{ text: string; isError: boolean }> {
  const result = await client.callTool({ name, arguments: input }, undefined, options);
  const [content] = result.content as [{ type: string; text: string }];
  expect(content.type).toBe("text");
  return { text: content.text, isError: result.isError === true };
}

async function json<Reply>(name: string, input: Record<string, unknown>): Promise<Reply> {
  const { text, isError } = await call(name, input);
  if (isError) throw new Error(text);
  return JSON.parse(text) as Reply;
}

const newSession = async (): Promise<string> =>
  (await json<{ id: string }>("create_session", { agent_id: agentId })).id;

test("the tools describe their arguments", async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual([
    "list_agents",
    "list_sessions",
    "create_session",
    "send_message",
    "get_message",
    "answer_message",
    "list_messages",
    "list_files",
    "read_file",
  ]);
  for (const { inputSchema, description } of tools) {
    expect(inputSchema.type).toBe("object");
    expect(description).toMatch(/\.$/);
  }
});

test("a message that waits for an input returns immediately, and continues with the answer", async () => {
  const session = await newSession();
  const sent = await json<{ id: string }>("send_message", { session_id: session, text: "ask", wait_seconds: 60 });
  expect(sent).toMatchObject({ status: "waiting_for_input", waits_for: { key: "who", schema: { type: "string" } } });
  const refused = await call("answer_message", { message_id: sent.id, key: "who", value: 7 });
  expect(refused).toMatchObject({ isError: true, text: expect.stringContaining("value: expected a string") });
  expect(await json("answer_message", { message_id: sent.id, key: "who", value: "Kim" })).toMatchObject({
    status: "completed",
    answer: "told Kim",
  });
});

test("a conversation: agents, a session, a message and its files", async () => {
  expect(await json("list_agents", {})).toMatchObject({ agents: [{ id: agentId, name: "greeter" }] });
  const session = await newSession();
  const answer = await json<{ id: string }>("send_message", { session_id: session, text: "hello" });
  expect(answer).toMatchObject({ status: "completed", answer: "You said: hello" });
  expect(answer).toMatchObject({ files_changed: ["created /bytes.bin", "created /said.txt"] });
  expect(await json("list_messages", { session_id: session })).toMatchObject({ messages: [{ id: answer.id }] });
  expect(await json("list_sessions", { agent_id: agentId })).toMatchObject({
    sessions: expect.arrayContaining([expect.objectContaining({ id: session })]),
  });
  expect(await json("list_files", { session_id: session })).toMatchObject({ path: "/" });
  expect(await call("read_file", { session_id: session, path: "/said.txt" })).toEqual({
    text: "hello",
    isError: false,
  });
});

test("a message goes to the lane that is named", async () => {
  const session = await newSession();
  const sent = await json<{ id: string }>("send_message", { session_id: session, text: "hello", lane: "background" });
  const headers = { authorization: `Bearer ${platform.apiKey}` };
  const record = await (await fetch(`${platform.apiUrl}/v1/messages/${sent.id}`, { headers })).json();
  expect(record).toMatchObject({ lane: "background" });
  const refused = await call("send_message", { session_id: session, text: "hello", lane: "urgent" });
  expect(refused).toMatchObject({ isError: true, text: expect.stringContaining("lane") });
});

test("a message that takes longer than its caller waits can be waited for again", async () => {
  await using meeting = await openRendezvous();
  const session = await newSession();
  const told: string[] = [];
  const sending = call(
    "send_message",
    { session_id: session, text: meeting.urlOf("slow"), wait_seconds: 1 },
    { onprogress: ({ message }) => void told.push(message ?? "") },
  );
  await meeting.arrived("slow");
  const { id, status } = JSON.parse((await sending).text) as { id: string; status: string };
  expect(status).toBe("running");
  expect(told).toEqual(expect.arrayContaining([expect.stringContaining(id)]));
  const waiting = json("get_message", { message_id: id });
  meeting.open("slow");
  expect(await waiting).toMatchObject({ id, status: "completed" });
});

test("a failed turn is an answer; what cannot be done is a refusal that says why", async () => {
  const session = await newSession();
  const failed = await json("send_message", { session_id: session, text: "fail" });
  expect(failed).toMatchObject({ status: "failed", error: { code: "agent_error" } });
  expect(await call("read_file", { session_id: session, path: "/nowhere" })).toMatchObject({ isError: true });
  await json("send_message", { session_id: session, text: "hello" });
  expect(await call("read_file", { session_id: session, path: "/bytes.bin" })).toEqual({
    text: "/bytes.bin is not text: 2 bytes that are not UTF-8",
    isError: true,
  });
  expect(await call("send_message", { session_id: session })).toEqual({
    text: "text: field is required",
    isError: true,
  });
  expect((await call("create_session", { agent_id: "sess_1" })).text).toContain(
    "expected an id that starts with 'agt_'",
  );
  expect((await call("delete_everything", {})).text).toContain("there is no tool delete_everything");
});

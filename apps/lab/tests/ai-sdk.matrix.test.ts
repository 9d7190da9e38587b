// The unmodified package `ai` of npm, in each major version, against a running platform.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { isNightly } from "@dari/testkit";
import { deployFiles } from "../src/deploy-files.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import {
  callApi,
  historyOf,
  importAi,
  openChat,
  showingAgent,
  textOf,
  waitForChat,
  type AiPackage,
  type Chat,
  type UiMessage,
} from "../src/ui-chat.ts";

let platform: StandaloneProcess;
let agentId: string;

beforeAll(async () => {
  platform = await startStandalone();
  ({ agentId } = await deployFiles(platform, showingAgent));
}, 180_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
}, 120_000);

async function createSession(): Promise<string> {
  return String((await callApi(platform, "POST", `/v1/agents/${agentId}/sessions`, {}))["id"]);
}

describe.each(isNightly() ? ([5, 6, 7] as const) : ([7] as const))("version %s of ai", (version) => {
  let ai: AiPackage;
  beforeAll(async () => {
    ai = await importAi(version);
  }, 180_000);

  const open = (sessionId: string, messages: readonly UiMessage[] = [], transport: object = {}): Chat =>
    openChat(platform, { ai, version, sessionId, messages, transport });
  const history = (sessionId: string) => historyOf(platform, sessionId, version);

  test("talks, and its history is the conversation", async () => {
    const sessionId = await createSession();
    const chat = open(sessionId);
    await chat.sendMessage({ text: "hello" });
    await chat.sendMessage({ text: "again" });
    expect([chat.status, chat.error]).toEqual(["ready", undefined]);
    expect(chat.messages.map(textOf)).toEqual(["hello", "You said: hello", "again", "You said: again"]);
    expect(chat.lastMessage?.metadata).toMatchObject({ status: "completed" });
    const loaded = await history(sessionId);
    expect(loaded.map(textOf)).toEqual(chat.messages.map(textOf));
    const answers = (messages: readonly UiMessage[]) =>
      messages.filter(({ role }) => role === "assistant").map(({ id, parts }) => [id, parts.map(({ type }) => type)]);
    expect(answers(loaded)).toEqual(answers(chat.messages));
    // A page that was loaded again goes on.
    const reloaded = open(sessionId, loaded);
    await reloaded.sendMessage({ text: "more" });
    expect(textOf(reloaded.lastMessage)).toBe("You said: more");
  });

  test("shows calls, errors of calls, data and files", async () => {
    const chat = open(await createSession());
    await chat.sendMessage({ text: "look up" });
    const found = chat.lastMessage?.parts.find(({ type }) => type === "dynamic-tool");
    expect(found).toMatchObject({
      toolName: "lookup",
      state: "output-available",
      input: { of: "Rome" },
      output: "found ",
    });
    await chat.sendMessage({ text: "break" });
    expect(chat.lastMessage?.parts).toContainEqual(expect.objectContaining({ state: "output-error" }));
    await chat.sendMessage({ text: "emit" });
    expect(chat.lastMessage?.parts).toContainEqual({ type: "data-half", data: { done: 0.5 } });
    await chat.sendMessage({ text: "file" });
    const file = chat.lastMessage?.parts.find(({ type }) => type === "file");
    expect(file).toMatchObject({ mediaType: "image/png", url: expect.stringContaining("chart.png") });
    const content = await fetch(`${platform.apiUrl}${String(file?.["url"])}`, {
      headers: { authorization: `Bearer ${platform.apiKey}` },
    });
    expect(await content.text()).toBe("png");
  });

  test("sends files", async () => {
    const chat = open(await createSession());
    const url = `data:text/plain;base64,${Buffer.from("inside ").toString("base64")}`;
    await chat.sendMessage({
      text: "read",
      files: [{ type: "file", mediaType: "text/plain", filename: "a.txt", url }],
    });
    expect([chat.error?.message, textOf(chat.lastMessage)]).toEqual([undefined, "inside You said: read"]);
  });

  test("gets a failed turn as an error, and sends it again", async () => {
    const chat = open(await createSession());
    await chat.sendMessage({ text: "fail" });
    expect([chat.status, chat.error?.message]).toEqual(["error", expect.stringContaining("as asked")]);
    await chat.regenerate();
    expect(chat.status).toBe("error");
  });

  test("generates an answer again, replaces a message, and is refused for the first one", async () => {
    const sessionId = await createSession();
    const chat = open(sessionId);
    for (const text of ["one", "two"]) await chat.sendMessage({ text });
    await chat.regenerate();
    expect(chat.messages.map(textOf)).toEqual(["one", "You said: one", "two", "You said: two"]);
    await chat.sendMessage({ text: "zwei", messageId: chat.messages[2]?.id });
    expect([chat.error, chat.messages.map(textOf)]).toEqual([
      undefined,
      ["one", "You said: one", "zwei", "You said: zwei"],
    ]);
    expect((await history(sessionId)).map(textOf)).toEqual(chat.messages.map(textOf));
    await chat.regenerate({ messageId: chat.messages[1]?.id });
    expect(chat.error?.message).toContain("the first message of a session cannot be replaced");
  });

  test("stops reading without stopping the turn, resumes it, and sees it cancelled", async () => {
    const sessionId = await createSession();
    const chat = open(sessionId);
    const sending = chat.sendMessage({ text: "wait" });
    await waitForChat(chat, () => textOf(chat.lastMessage) === "waiting", "the first text");
    await chat.stop();
    await sending;
    expect(chat.status).toBe("ready");
    const loaded = await history(sessionId);
    expect(loaded.map(({ role }) => role)).toEqual(["user"]);
    const reloaded = open(sessionId, loaded);
    const resuming = reloaded.resumeStream();
    await waitForChat(reloaded, () => reloaded.lastMessage?.role === "assistant", "the resumed message");
    await callApi(platform, "POST", `/v1/messages/${loaded[0]?.id}/cancel`);
    await resuming;
    expect([reloaded.status, reloaded.lastMessage?.metadata?.["status"]]).toEqual(["ready", "cancelled"]);
    await reloaded.resumeStream();
    expect(reloaded.status).toBe("ready");
  });

  test("answers a question with the output of a call", async () => {
    const sessionId = await createSession();
    const chat = open(sessionId);
    await chat.sendMessage({ text: "weather" });
    const asked = chat.lastMessage?.parts.find(({ toolName }) => toolName === "request_input");
    expect(asked).toMatchObject({ state: "input-available", input: { prompt: "Which city?" } });
    const output = { city: "Rome" };
    await chat.addToolOutput({ tool: "request_input", toolCallId: asked?.toolCallId, output });
    await waitForChat(chat, () => textOf(chat.lastMessage).endsWith("weather"), "the answer");
    await waitForChat(chat, () => chat.status === "ready", "the end");
    expect(textOf(chat.lastMessage)).toBe("sunny in Rome You said: weather");
    expect(chat.messages).toHaveLength(2);
    expect((await history(sessionId)).map(textOf)).toEqual(chat.messages.map(textOf));
  });

  test.each([true, false])("decides about an approval: %s, also after a reload", async (approved) => {
    const sessionId = await createSession();
    await open(sessionId).sendMessage({ text: "refund" });
    const chat = open(sessionId, await history(sessionId));
    const asked = chat.lastMessage?.parts.find(({ type }) => type === "dynamic-tool");
    const reason = "too much";
    if (version === 5) {
      const output = { approved, reason };
      await chat.addToolOutput({ tool: "request_input", toolCallId: asked?.toolCallId, output });
    } else {
      expect(asked?.state).toBe("approval-requested");
      await chat.addToolApprovalResponse({ id: asked?.approval?.id, approved, reason });
    }
    await waitForChat(chat, () => textOf(chat.lastMessage).endsWith("refund"), "the answer");
    await waitForChat(chat, () => chat.status === "ready", "the end");
    expect(textOf(chat.lastMessage)).toBe(`${approved ? "refunded" : "refused: too much"} You said: refund`);
    expect([chat.error, chat.messages.length]).toEqual([undefined, 2]);
    const { data } = await callApi(platform, "GET", `/v1/sessions/${sessionId}/messages`);
    expect(data).toHaveLength(1);
  });

  test("sends the last message only, if the application says so", async () => {
    const sessionId = await createSession();
    const chat = open(sessionId, [], {
      prepareSendMessagesRequest: ({ messages, headers, trigger, messageId }: Record<string, unknown[]>) => ({
        headers,
        body: { message: messages?.at(-1), trigger, messageId },
      }),
    });
    for (const text of ["one", "two"]) await chat.sendMessage({ text });
    await chat.regenerate();
    expect([chat.error, chat.messages.map(textOf)]).toEqual([
      undefined,
      ["one", "You said: one", "two", "You said: two"],
    ]);
  });

  test("gets a refusal as an error that says what is wrong", async () => {
    const chat = open(await createSession());
    await chat.sendMessage({ parts: [{ type: "data-cart", data: {} }] });
    expect(chat.error?.message).toContain("messages[0].parts[0].type");
  });
});

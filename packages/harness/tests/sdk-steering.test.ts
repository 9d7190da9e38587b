// Where messages that steer a turn go, by SDK.

import { expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";

interface Message {
  readonly id: string;
  readonly parts: readonly object[];
}
interface OpenaiModule {
  steerRun(
    inbox: object,
    read: (message: Message) => Promise<object>,
    saved?: readonly object[],
  ): {
    filter(given: { modelData: { input: object[] } }): Promise<{ input: object[] }>;
    addTo(items: object[]): object[];
    entries(): object[];
    fingerprints(): string[];
  };
}
interface ClaudeModule {
  openInput(
    first: string,
    inbox: object,
    read: (message: Message) => Promise<string>,
  ): {
    messages(): AsyncGenerator<{ message: { content: string } }>;
    hooks(own?: object): { PostToolBatch: { hooks: ((input: object) => Promise<object>)[] }[] };
    takeResult(result: object): Promise<void>;
  };
}

const load = async <T>(name: string): Promise<T> =>
  (await import(fileURLToPath(new URL(`../guest/node/sdk/${name}`, import.meta.url)))) as T;

/** An inbox to which a test adds messages. */
function openInbox() {
  const waiting: Message[] = [];
  return {
    add: (...texts: string[]) =>
      void waiting.push(...texts.map((text) => ({ id: text, parts: [{ type: "text", text }] }))),
    take: async () => waiting.splice(0),
    size: () => waiting.length,
  };
}
const textOf = ({ parts }: Message): string => (parts[0] as { text: string }).text;

const user = (content: string): object => ({ type: "message", role: "user", content });
const answer = (content: string): object => ({ type: "message", role: "assistant", content });
const call = (callId: string): object => ({ type: "function_call", callId });
const result = (callId: string): object => ({ type: "function_call_result", callId });

test("openai-agents: each later request and the conversation have a message at its place, once", async () => {
  const { steerRun } = await load<OpenaiModule>("openai-steering.mjs");
  const inbox = openInbox();
  const read = async (message: Message): Promise<object> => user(textOf(message));
  const steering = steerRun(inbox, read);
  const inputOf = async (input: object[]) => (await steering.filter({ modelData: { input } })).input;

  const first = [user("Go")];
  inbox.add("early");
  expect(await inputOf(first)).toEqual([...first, user("early")]);
  const second = [...first, call("a"), call("b"), result("a"), result("b")];
  inbox.add("between", "and more");
  const steered = [user("Go"), user("early"), ...second.slice(1), user("between"), user("and more")];
  expect(await inputOf(second)).toEqual(steered);
  const history = [...second, answer("Done")];
  expect(steering.addTo(history)).toEqual([...steered, answer("Done")]);
  expect(steering.fingerprints()).toHaveLength(3);

  // A run that waited for a person continues in another attempt.
  const next = steerRun(inbox, read, JSON.parse(JSON.stringify(steering.entries())) as object[]);
  expect(next.addTo(history)).toEqual([...steered, answer("Done")]);
  // A handoff can remove items from the conversation. A message never gets between a call and its result.
  const rewritten = [user("Go"), answer("I transfer you"), call("c"), result("c")];
  expect(next.addTo(rewritten)).toEqual([
    user("Go"),
    user("early"),
    ...rewritten.slice(1),
    user("between"),
    user("and more"),
  ]);
});

test("claude-agent-sdk: messages follow tools and answers, and the input ends with the last answer", async () => {
  const { openInput } = await load<ClaudeModule>("claude-steering.mjs");
  const inbox = openInbox();
  const input = openInput("Go", inbox, async (message) => textOf(message));
  const given: string[] = [];
  const reading = (async () => {
    for await (const { message } of input.messages()) given.push(message.content);
  })();
  const own = { matcher: "Bash", hooks: [] };
  const hooks = input.hooks({ PostToolBatch: [own], Stop: [] });
  expect(hooks).toMatchObject({ PostToolBatch: [own, {}], Stop: [] });
  const afterTools = hooks.PostToolBatch[1]!.hooks[0]!;

  inbox.add("between");
  await afterTools({ agent_id: "a subagent" });
  expect(inbox.size()).toBe(1);
  await afterTools({});
  inbox.add("during the last answer");
  await input.takeResult({ subtype: "success" });
  await input.takeResult({ subtype: "success" });
  await reading;
  expect(given).toEqual(["Go", "between", "during the last answer"]);
  inbox.add("late");
  await afterTools({});
  expect(inbox.size()).toBe(1);
});

test("claude-agent-sdk: a session that fails takes nothing more", async () => {
  const { openInput } = await load<ClaudeModule>("claude-steering.mjs");
  const inbox = openInbox();
  const input = openInput("Go", inbox, async (message) => textOf(message));
  inbox.add("late");
  await input.takeResult({ subtype: "error_max_turns", is_error: true });
  const given: string[] = [];
  for await (const { message } of input.messages()) given.push(message.content);
  expect(given).toEqual(["Go"]);
  expect(inbox.size()).toBe(1);
});

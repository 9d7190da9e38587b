// What is recorded of a session of OpenCode, from events as its server writes them.

import { expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";
import { limits } from "@dari/domain";

type Recorded = [type: string, data: Record<string, unknown>];
interface Recorder {
  take(event: object): void;
  complete(messages: readonly object[]): void;
  fail(error: Error): void;
}
interface Module {
  recordSession(activity: object, session: object): Recorder;
}

const file = fileURLToPath(new URL("../guest/node/sdk/opencode-activity.mjs", import.meta.url));

async function open(): Promise<{ recorder: Recorder; recorded: Recorded[] }> {
  const { recordSession } = (await import(file)) as Module;
  const recorded: Recorded[] = [];
  const record = (type: string, data: object): void => {
    recorded.push([type, JSON.parse(JSON.stringify(data)) as Recorded[1]]);
  };
  const fit = (field: string, value: unknown) => ({ [field]: value });
  return { recorder: recordSession({ record, fit }, { session: "s", servers: [], since: 0 }), recorded };
}

const info = { id: "m", sessionID: "s", role: "assistant", providerID: "openai", modelID: "gpt" };
const failed = { ...info, error: { name: "APIError", data: { message: "the model is away" } } };
const start = { id: "p", sessionID: "s", messageID: "m", type: "step-start" };
const updated = (message: object) => ({ type: "message.updated", properties: { info: message } });
const startEvent = { type: "message.part.updated", properties: { part: start } };
const request = { ordinal: 1, provider: "openai", model: "gpt" };

test("a request that fails is completed with the error of its message", async () => {
  const { recorder, recorded } = await open();
  for (const event of [updated(info), startEvent, updated(failed), updated(failed)]) recorder.take(event);
  recorder.fail(new Error("of the turn"));
  const completed = { ...request, error: "APIError: the model is away", duration_ms: expect.any(Number) };
  expect(recorded).toEqual([
    ["model.request_started", request],
    ["model.request_completed", completed],
  ]);
});

test("an error whose event was lost is taken from the session's messages", async () => {
  const { recorder, recorded } = await open();
  recorder.take(updated(info));
  recorder.complete([{ info: failed, parts: [start] }]);
  expect(recorded.at(-1)).toMatchObject(["model.request_completed", { error: "APIError: the model is away" }]);
});

test("a request without an answer is completed with the error of the turn", async () => {
  const { recorder, recorded } = await open();
  for (const event of [updated(info), startEvent]) recorder.take(event);
  recorder.fail(new Error("the server ended"));
  expect(recorded.at(-1)).toMatchObject(["model.request_completed", { ...request, error: "Error: the server ended" }]);
});

test("todos are cut at their limit and stay valid Unicode", async () => {
  const { recorder, recorded } = await open();
  const content = `${"x".repeat(limits.planItemChars - 1)}\u{1F600}`;
  recorder.take({ type: "todo.updated", properties: { sessionID: "s", todos: [{ content, status: "pending" }] } });
  const text = `${"x".repeat(limits.planItemChars - 1)}\uFFFD`;
  expect(recorded).toEqual([["plan.updated", { items: [{ text, status: "pending" }] }]]);
});

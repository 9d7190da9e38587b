// What the routes for chat clients accept and refuse, for tests of all routes.

import type { RouteCase } from "./route-case.ts";

const text = { type: "text", text: "hello" };
const user = { id: "u1", role: "user", parts: [text] };
const withParts = (...parts: object[]) => ({ message: { ...user, parts } });
const answering = (part: object) => ({ message: { id: "a1", role: "assistant", parts: [part] } });
const inputId = "msg_01jx5m0k8c3f7q2v9t4w6y8z1a:approve";

const run = { threadId: "t1", runId: "r1" };
const said = { id: "u1", role: "user", content: "hello" };
const resume = { interruptId: inputId, status: "resolved", payload: true };

/** Fields of a run that the platform cannot honour, with a value that clients send. */
const refusedOfRuns: Readonly<Record<string, unknown>> = {
  parentRunId: "r0",
  state: { count: 1 },
  tools: [{ name: "f", description: "d" }],
  context: [{ description: "d", value: "v" }],
  forwardedProps: { model: "m" },
};

export const chatClientCases = {
  sendUiMessage: {
    valid: { messages: [user], id: "chat-1", trigger: "submit-message" },
    invalid: [
      [{}, "messages"],
      [{ messages: [] }, "messages"],
      [{ messages: [user], message: user }, "message"],
      [{ messages: [user], surprise: 1 }, "surprise"],
      [{ messages: [user], trigger: "resume-stream" }, "trigger"],
      [{ message: { ...user, id: "" } }, "message.id"],
      [{ message: { ...user, id: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" } }, "message.id"],
      [{ messages: [user, { ...user, role: "system" }] }, "messages[1].role"],
      [{ message: { ...user, metadata: { nested: {} } } }, "message.metadata.nested"],
      [{ message: { ...user, parts: [] } }, "message.parts"],
      [withParts({ type: "reasoning", text: "x" }), "message.parts[0].type"],
      [withParts({ type: "data-cart", data: {} }), "message.parts[0].type"],
      [withParts({ type: "file", mediaType: "image/png", url: "https://example.com/a.png" }), "message.parts[0].url"],
      [withParts(text, { type: "file", mediaType: "text/plain" }), "message.parts[1].url"],
      [withParts({ ...text, citations: [] }), "message.parts[0].citations"],
      [{ message: { id: "a1", role: "assistant", parts: [] } }, "message"],
      [answering({ type: "dynamic-tool", toolCallId: "call_1", state: "output-available", output: 1 }), "message"],
      [answering({ type: "tool-x", toolCallId: inputId, state: "output-error" }), "message.parts[0].state"],
      [answering({ type: "tool-x", toolCallId: inputId, state: "output-available" }), "message.parts[0].output"],
    ],
  },
  streamUiMessage: {},
  listUiMessages: {},
  runAgUi: {
    valid: { ...run, messages: [said] },
    invalid: [
      [{ runId: "r1", messages: [said] }, "threadId"],
      [{ threadId: "t1", messages: [said] }, "runId"],
      [run, "messages"],
      [{ ...run, messages: [{ id: "a1", role: "assistant", content: "x" }] }, "messages[0].role"],
      [{ ...run, messages: [said, { ...said, content: [] }] }, "messages[1].content"],
      [{ ...run, messages: [{ ...said, content: [{ type: "binary" }] }] }, "messages[0].content[0].type"],
      [{ ...run, messages: [{ ...said, name: "ann" }] }, "messages[0].name"],
      [{ ...run, messages: [said], resume: [{ ...resume, interruptId: "x" }] }, "resume[0].interruptId"],
      [{ ...run, messages: [said], resume: [resume, resume] }, "resume"],
      [{ ...run, messages: [said], resume: [{ ...resume, status: "maybe" }] }, "resume[0].status"],
      [{ ...run, messages: [said], surprise: 1 }, "surprise"],
      ...Object.entries(refusedOfRuns).map(
        ([name, value]) => [{ ...run, messages: [said], [name]: value }, name] as const,
      ),
    ],
  },
} as const satisfies Readonly<Record<string, RouteCase>>;

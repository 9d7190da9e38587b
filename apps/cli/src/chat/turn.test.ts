// Tests how a turn asks, and how it ends.

import { expect, test } from "@jest/globals";
import { ApiError, type Client } from "@dari/client";
import { CliError } from "../exit.ts";
import type { Lines } from "./lines.ts";
import { runTurn, type TurnView } from "./turn.ts";

const completed = {
  type: "message.completed",
  data: { id: "msg_1", status: "completed", output: null, files_changed: [] },
};
const schema = { type: "object", properties: { "ok\u001b[2J\nnow": { type: "boolean" } } };
const question = { type: "input.requested", data: { key: "approve", prompt: "Go on?\u001b[2J", schema } };

const isQuestion = ({ type }: { readonly type?: string }): boolean => type === "input.requested";

/**
 * A terminal on which the answers are typed, and a platform that refuses each as the next of `refusals`. After a
 * question, the next event comes when all answers were sent.
 */
function createView(events: readonly object[], answers: string[], refusals: ApiError[] = []) {
  const prompts: string[] = [];
  const sent: unknown[] = [];
  let shown = "";
  let goOn = (): void => undefined;
  const api = {
    sendMessageAsync: () => Promise.resolve({ id: "msg_1" }),
    async *streamMessage() {
      for (const event of events) {
        yield await Promise.resolve(event);
        if (isQuestion(event) && answers.length > 0) await new Promise<void>((resolve) => (goOn = resolve));
      }
    },
    answerInput(_id: string, { value }: { value: unknown }) {
      sent.push(value);
      const refusal = refusals.shift();
      if (answers.length === 0 || (refusal !== undefined && refusal.code !== "invalid")) goOn();
      return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
    },
  };
  const lines: Partial<Lines> = {
    isTerminal: true,
    ask(prompt) {
      prompts.push(prompt);
      return Promise.resolve(answers.shift());
    },
    dismiss: () => undefined,
  };
  const write = (text: string): void => void (shown += text);
  const common = { signal: new AbortController().signal, write, note: write, isStyled: false, logs: false };
  const view: TurnView = { ...common, api: api as unknown as Client, lines: lines as Lines };
  const run = () => runTurn(view, "sess_1", { parts: [] }, () => undefined);
  return { run, view, prompts, sent, shown: () => shown };
}

function refusal(status: number, code: "conflict" | "not_found" | "invalid"): ApiError {
  return new ApiError(status, { code, detail: `refused as ${code}` }, new Headers());
}

test("a wrong value is asked for again, and a question shows no control characters", async () => {
  const chat = createView([question, completed], ["maybe", "y", "n"], [refusal(422, "invalid")]);
  expect(await chat.run()).toMatchObject({ status: "completed" });
  expect(chat.prompts).toEqual(Array(3).fill("  ok[2J now [y/n] (empty: none) "));
  expect(chat.sent).toEqual([
    { [Object.keys(schema.properties)[0]!]: true },
    { [Object.keys(schema.properties)[0]!]: false },
  ]);
  expect(chat.shown()).toContain("The agent asks (approve): Go on?[2J\n");
});

test.each([refusal(409, "conflict"), refusal(404, "not_found")])("the turn continues after %s", async (error) => {
  const chat = createView([question, completed], ["y", "y"], [error]);
  expect(await chat.run()).toMatchObject({ status: "completed" });
  expect(chat.sent).toHaveLength(1);
  expect(chat.shown()).toContain(error.message);
});

test.each([
  ["answered elsewhere", { type: "input.submitted", data: { key: "approve", value: { ok: true } } }, completed],
  ["cancelled", { type: "message.cancelled", data: { ...completed.data, status: "cancelled" } }],
])("a question that is %s leaves the screen at once", async (shown, ...events) => {
  const asked = Promise.withResolvers<void>();
  const dismissed = Promise.withResolvers<undefined>();
  const chat = createView([], []);
  const api = {
    ...chat.view.api,
    async *streamMessage() {
      yield question;
      await asked.promise;
      yield* events;
    },
  };
  const lines: Partial<Lines> = {
    isTerminal: true,
    ask() {
      asked.resolve();
      return dismissed.promise;
    },
    dismiss: () => dismissed.resolve(undefined),
  };
  const view = { ...chat.view, api: api as unknown as Client, lines: lines as Lines };
  await runTurn(view, "sess_1", { parts: [] }, () => undefined);
  expect(chat.sent).toEqual([]);
  expect(chat.shown()).toContain(`${shown}\n`);
});

test("a stream that ends too early is an error of one line, after the answer's end", async () => {
  const chat = createView([{ type: "assistant.text_delta", data: { text: "half", offset: 0 } }], []);
  await expect(chat.run()).rejects.toThrow(CliError);
  expect(chat.shown()).toBe("half\n");
});

// Tests how a turn asks, and how it ends.

import { expect, test } from "@jest/globals";
import { ApiError, type Client } from "@dari/client";
import { CliError } from "../exit.ts";
import type { Lines } from "./lines.ts";
import type { Screen } from "./screen.ts";
import { showTurn, type TurnView } from "./turn.ts";

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
  const rows: string[][] = [];
  const screen: Screen = {
    isStyled: false,
    write,
    endLine: () => write(shown === "" || shown.endsWith("\n") ? "" : "\n"),
    note: write,
    above: write,
    print: write,
    setRows: (next) => void rows.push([...next]),
  };
  const common = { signal: new AbortController().signal, screen, logs: false, texts: new Map([["msg_2", "use Oslo"]]) };
  const view: TurnView = { ...common, api: api as unknown as Client, lines: lines as Lines };
  const run = () => showTurn(view, { id: "msg_1", isRepeated: false });
  return { run, view, prompts, sent, rows, shown: () => shown };
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
  await showTurn(view, { id: "msg_1", isRepeated: false });
  expect(chat.sent).toEqual([]);
  expect(chat.shown()).toContain(`${shown}\n`);
});

test("a stream that ends too early is an error of one line, after the answer's end", async () => {
  const chat = createView([{ type: "assistant.text_delta", data: { text: "half", offset: 0 } }], []);
  await expect(chat.run()).rejects.toThrow(CliError);
  expect(chat.shown()).toBe("half\n");
});

const textOf = (text: string) => ({ parts: [{ type: "text", text }] });

test("calls are a row while they run and a line when they have ended, in their place in the text", async () => {
  const call = (call_id: string, name: string) => ({ call_id, name, kind: "function", arguments: { q: call_id } });
  const chat = createView(
    [
      { type: "assistant.text_delta", data: { text: "I look.", offset: 0 } },
      { type: "assistant.message", data: { text: "I look." } },
      { type: "tool.call_requested", data: call("a", "search") },
      { type: "tool.call_requested", data: { ...call("b", "read"), server: "files" } },
      { type: "tool.call_completed", data: { call_id: "b", name: "read", result: "no\nfile", is_error: true } },
      {
        type: "tool.call_completed",
        data: { call_id: "a", name: "search", result: "", is_error: false, duration_ms: 1200 },
      },
      { type: "reasoning.completed", data: { text: "So it is." } },
      { type: "assistant.text_delta", data: { text: "Ro", offset: 7 } },
      { ...completed, data: { ...completed.data, output: textOf("Rome") } },
    ],
    [],
  );
  await chat.run();
  expect(chat.shown().split("\n")).toEqual([
    "I look.",
    '✗ files: read {"q":"b"}: failed: no file',
    '✓ search {"q":"a"}, 1.2 s',
    "reasoning (9 characters)",
    "Rome",
    "",
  ]);
  const [a, b] = ['… search {"q":"a"}', '… files: read {"q":"b"}'];
  expect(chat.rows.slice(0, 5)).toEqual([["… working"], [a], [a, b], [a], ["… working"]]);
  expect(chat.rows.at(-1)).toEqual([]);
});

test("a call that its attempt leaves unfinished is a failure; one that waits for a person is not", async () => {
  const requested = { type: "tool.call_requested", data: { call_id: "a", name: "pay", arguments: {} } };
  const failed = { ...completed, type: "message.failed", data: { ...completed.data, status: "failed" } };
  const lost = createView([requested, { type: "attempt.ended", data: { outcome: "retry" } }, failed], []);
  await lost.run();
  expect(lost.shown()).toBe("✗ pay {}: has not ended\nattempt ended: retry\nfailed\n");
  const done = { type: "tool.call_completed", data: { call_id: "a", name: "pay", result: 1, is_error: false } };
  const suspended = { type: "attempt.ended", data: { outcome: "suspended" } };
  const asked = createView([requested, suspended, requested, done, completed], []);
  await asked.run();
  expect(asked.shown()).toBe("✓ pay {}\n");
});

test("a message that the turn takes is shown where it was taken, and its end is not the turn's", async () => {
  const steered = { type: "message.steered", message_id: "msg_2", data: { into: "msg_1" } };
  const delivered = { ...completed, data: { ...completed.data, id: "msg_2", delivered_in: "msg_1" } };
  const chat = createView(
    [steered, delivered, { ...completed, data: { ...completed.data, output: textOf("Oslo") } }],
    [],
  );
  await chat.run();
  expect(chat.shown()).toBe("the agent has: use Oslo\nOslo\n");
});

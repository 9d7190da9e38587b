// One turn of a chat: sends a message, shows the answer while it streams, and asks for what the agent wants to know.

import { isMessageEnd, type Client, type MessageContent } from "@dari/client";
import type { MessageRecord, StreamedEvent } from "@dari/contract";
import { withoutControls } from "../controls.ts";
import { CliError } from "../exit.ts";
import { paint } from "../style.ts";
import { shorten, toolLine } from "../tool-line.ts";
import { composeAnswer, fieldsOf, isNoLongerAsked } from "./answer.ts";
import type { Lines } from "./lines.ts";
import { createMarkdown } from "./markdown.ts";
import { readAhead } from "./read-ahead.ts";

export interface TurnView {
  readonly api: Client;
  readonly lines: Lines;
  readonly signal: AbortSignal;
  /** Writes to the terminal, or to stdout. */
  readonly write: (text: string) => void;
  /** Writes what is not part of the answer. */
  readonly note: (text: string) => void;
  readonly isStyled: boolean;
  readonly logs: boolean;
}

type Input = Extract<StreamedEvent, { type: "input.requested" }>["data"];

/** Calls `onSent` with the message's id, and waits for it. Resolves with the final record. */
export async function runTurn(
  view: TurnView,
  sessionId: string,
  content: MessageContent,
  onSent: (messageId: string) => void | Promise<void>,
): Promise<MessageRecord> {
  const { api, signal } = view;
  const queued = await api.sendMessageAsync(sessionId, content, { signal });
  await onSent(queued.id);
  const answer = createAnswerView(view);
  try {
    return await showEvents(view, queued.id, answer);
  } finally {
    answer.endLine();
  }
}

async function showEvents(view: TurnView, messageId: string, answer: AnswerView): Promise<MessageRecord> {
  const { api, signal, lines } = view;
  const questions = createQuestions(lines);
  for await (const event of readAhead(api.streamMessage(messageId, {}, { signal }), questions.notice)) {
    const line = toolLine(event);
    if (line !== undefined) answer.aside(line);
    else if (event.type === "assistant.text_delta") answer.push(event.data);
    else if (event.type === "log") answer.log(event.data.text);
    else if (event.type === "agent.event") answer.event(event.data.name, event.data.data);
    else if (event.type === "input.requested") await askAndAnswer(view, messageId, event.data, { answer, questions });
    else if (event.type === "attempt.ended" && event.data.outcome !== "completed")
      answer.endAttempt(event.data.outcome);
    else if (isMessageEnd(event) && event.data.merged_into === undefined) {
      answer.finish(event.data);
      return event.data;
    }
  }
  throw new CliError(`the stream ended before message ${messageId} did; see it with: dari message get ${messageId}`);
}

type AnswerView = ReturnType<typeof createAnswerView>;

function createAnswerView({ write, note, isStyled, logs }: TurnView) {
  const dim = (text: string): string => (isStyled ? paint("dim", text) : text);
  let markdown = createMarkdown({ isStyled });
  let shown = "";
  let isMidLine = false;
  const put = (text: string): void => {
    if (text === "") return;
    write(text);
    isMidLine = !text.endsWith("\n");
  };
  const endLine = (): void => {
    put(markdown.end());
    markdown = createMarkdown({ isStyled });
    if (isMidLine) put("\n");
  };
  const aside = (text: string): void => {
    endLine();
    note(`${dim(withoutControls(text))}\n`);
  };
  return {
    endLine,
    aside,
    push({ text, offset }: { readonly text: string; readonly offset: number }): void {
      // A preview can be lost. What follows it is shown with the end.
      if (offset !== shown.length) return;
      shown += text;
      put(markdown.push(text));
    },
    log: (text: string): void => (logs ? aside(text.replace(/\n$/, "")) : undefined),
    event: (name: string, data: unknown): void => aside(`${name} ${shorten(JSON.stringify(data) ?? "")}`),
    endAttempt(outcome: string): void {
      endLine();
      shown = "";
      if (outcome !== "suspended") aside(`attempt ended: ${outcome}`);
    },
    /** Shows what was not streamed, the files, and why a turn did not complete. */
    finish(record: MessageRecord): void {
      const text = (record.output?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
      if (text.startsWith(shown)) put(markdown.push(text.slice(shown.length)));
      else {
        endLine();
        put(markdown.push(text));
      }
      endLine();
      for (const { change, path } of record.files_changed) aside(`${change} ${path}`);
      const error = record.output?.error;
      if (record.status !== "completed") {
        aside(`${record.status}${error === undefined ? "" : `: ${error.message} (${error.code})`}`);
      }
    },
  };
}

/** What the stream says about the questions of a message. An event that settles the one on the screen removes it. */
interface Questions {
  notice(event: StreamedEvent): void;
  /** The question is on the screen from now on. */
  show(key: string): void;
  /** `over`: the message has ended without an answer. */
  stateOf(key: string): "open" | "answered" | "over";
}

function createQuestions(lines: Lines): Questions {
  const answered = new Set<string>();
  let shown: string | undefined;
  let isEnded = false;
  const stateOf: Questions["stateOf"] = (key) => (answered.has(key) ? "answered" : isEnded ? "over" : "open");
  return {
    stateOf,
    show: (key) => void (shown = key),
    notice(event) {
      if (event.type === "input.submitted") answered.add(event.data.key);
      isEnded ||= isMessageEnd(event);
      if (shown === undefined || stateOf(shown) === "open") return;
      shown = undefined;
      lines.dismiss();
    },
  };
}

/**
 * Asks until an answer is accepted or the input no longer waits. Without a terminal, says how to answer; the turn
 * continues after the answer.
 */
async function askAndAnswer(
  view: TurnView,
  messageId: string,
  input: Input,
  { answer, questions }: { readonly answer: AnswerView; readonly questions: Questions },
): Promise<void> {
  const { api, lines, signal } = view;
  const { key, prompt } = input;
  answer.aside(`The agent asks (${key})${prompt === null ? "" : `: ${prompt}`}`);
  if (!lines.isTerminal) {
    answer.aside(`answer with: dari message answer ${messageId} ${key} --value <json>`);
    return;
  }
  const fields = fieldsOf(input.schema);
  questions.show(key);
  for (;;) {
    const texts: string[] = [];
    for (const field of fields) {
      const prompt = `  ${withoutControls(field.prompt.replaceAll(/[\r\n]+/g, " "))}`;
      const text = questions.stateOf(key) === "open" ? await lines.ask(prompt) : undefined;
      if (text === undefined) {
        if (questions.stateOf(key) === "answered") answer.aside("answered elsewhere");
        return;
      }
      texts.push(text);
    }
    try {
      await api.answerInput(messageId, { key, value: composeAnswer(fields, texts) }, { signal });
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      answer.aside(error instanceof Error ? error.message : String(error));
      if (isNoLongerAsked(error)) return;
    }
  }
}

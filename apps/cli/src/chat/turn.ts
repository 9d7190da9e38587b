// One turn of a chat: shows the answer while it streams, and asks for what the agent wants to know.

import { isMessageEnd, type Client } from "@dari/client";
import type { MessageRecord, StreamedEvent } from "@dari/contract";
import { answerCommand } from "../answer-command.ts";
import { withoutControls } from "../controls.ts";
import { CliError } from "../exit.ts";
import { createAnswerView, type AnswerView } from "./answer-view.ts";
import { composeAnswer, fieldsOf, isNoLongerAsked } from "./answer.ts";
import type { Lines } from "./lines.ts";
import { readAhead } from "./read-ahead.ts";
import type { Screen } from "./screen.ts";

export interface TurnView {
  readonly api: Client;
  readonly lines: Lines;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly logs: boolean;
  /** The texts of the messages that this chat has sent, by their ids. */
  readonly texts: Map<string, string>;
}

export interface ShownMessage {
  readonly id: string;
  /** Whether its text is shown first: it was sent earlier, or elsewhere. */
  readonly isRepeated: boolean;
}

type Input = Extract<StreamedEvent, { type: "input.requested" }>["data"];

/** Shows a message's turn. Resolves with the final record. */
export async function showTurn(view: TurnView, message: ShownMessage): Promise<MessageRecord> {
  const answer = createAnswerView(view.screen, view.logs);
  try {
    return await showEvents(view, message, answer);
  } finally {
    answer.close();
  }
}

async function showEvents(view: TurnView, { id, isRepeated }: ShownMessage, answer: AnswerView) {
  const { api, signal, lines, texts } = view;
  const questions = createQuestions(lines);
  for await (const event of readAhead(api.streamMessage(id, {}, { signal }), questions.notice)) {
    if (event.type === "input.requested") await askAndAnswer(view, id, event.data, { answer, questions });
    else if (event.type === "user.message" && isRepeated) answer.aside(`> ${textOfParts(event.data.parts)}`);
    else if (event.type === "message.steered")
      answer.aside(`the agent has: ${texts.get(event.message_id) ?? event.message_id}`);
    else if (isMessageEnd(event) && (event.data.merged_into ?? event.data.delivered_in) === undefined) {
      answer.finish(event.data);
      return event.data;
    } else answer.take(event);
  }
  throw new CliError(`the stream ended before message ${id} did; see it with: dari message get ${id}`);
}

function textOfParts(parts: readonly { readonly type: string; readonly text?: string }[]): string {
  return parts.map(({ type, text }) => (type === "text" ? text : `[${type}]`)).join(" ");
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
  const { key, prompt } = input;
  const who = input.type === "budget" ? "The platform" : "The agent";
  answer.aside(`${who} asks (${key})${prompt === null ? "" : `: ${prompt}`}`);
  if (!view.lines.isTerminal) {
    answer.aside(`answer with: ${answerCommand(messageId, input)}`);
    return;
  }
  questions.show(key);
  answer.setAsking(true);
  try {
    await askUntilAnswered(view, messageId, input, { answer, questions });
  } finally {
    answer.setAsking(false);
  }
}

async function askUntilAnswered(
  { api, lines, signal }: TurnView,
  messageId: string,
  { key, schema }: Input,
  { answer, questions }: { readonly answer: AnswerView; readonly questions: Questions },
): Promise<void> {
  const fields = fieldsOf(schema);
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

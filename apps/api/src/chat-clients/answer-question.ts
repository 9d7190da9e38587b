// Answers the input that a message waits for, as a chat client's request has it.

import { AnswerInputRequest, validate, type MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { answerInput, cancelMessage, getMessage } from "@dari/control/turns";
import { AppError, notFound } from "@dari/domain";
import { inputIdOf, type InputId } from "./ids.ts";

/** The answers in a request: clients repeat those that they gave before. All are of one message. */
export interface GivenAnswers {
  readonly messageId: string;
  /** The message whose stream asked. It can have become part of the one that waits. */
  readonly askedIn?: string | undefined;
  readonly answers: readonly { readonly key: string; readonly value: unknown; readonly path: string }[];
}

/** @throws AppError `invalid` for a key or a value that no input can have */
export function checkAnswers({ answers }: GivenAnswers): void {
  for (const { key, value, path } of answers) {
    const issues = validate(AnswerInputRequest, { key, value });
    if (issues.length === 0) continue;
    const named = issues.map((issue) => ({ ...issue, path: issue.path.replace(/^(key|value)/, path) }));
    throw new AppError("invalid", `${named[0]?.path}: ${named[0]?.message}`, { issues: named });
  }
}

/** Gives the answer that the message waits for. @throws AppError as `answerInput` does, also if it waits for none. */
export async function answerQuestion(
  control: Control,
  actor: Actor,
  { sessionId, messageId, answers }: GivenAnswers & { readonly sessionId: string },
): Promise<void> {
  const message = await getMessageOf(control, actor, { sessionId, messageId });
  const waiting = message.inputs?.find(({ status }) => status === "waiting")?.key;
  const given = answers.find(({ key }) => key === waiting) ?? answers.at(-1);
  if (given === undefined) throw new Error("a request without answers is none");
  await answerInput(control, actor, { messageId, key: given.key, value: given.value });
}

/**
 * Cancels the message that waits for an input, because the client will not answer it. Repeating it changes nothing.
 * @throws AppError `not_found`; `conflict` if the input was answered, because its turn then goes on
 */
export async function abandonQuestion(
  control: Control,
  actor: Actor,
  { sessionId, messageId, key }: InputId & { readonly sessionId: string },
): Promise<void> {
  const message = await getMessageOf(control, actor, { sessionId, messageId });
  const status = message.inputs?.find((input) => input.key === key)?.status;
  if (status === undefined)
    throw new AppError("conflict", `the message has no input ${key}; its record lists its inputs`);
  if (status === "answered") throw new AppError("conflict", `input ${key} is already answered; cancel the message`);
  await cancelMessage(control, actor, messageId);
}

/**
 * Returns the message whose turn continues in the client's answer: the one whose stream asked, so that calls and texts
 * keep their ids.
 * @throws AppError `not_found`
 */
export async function findContinued(
  control: Control,
  actor: Actor,
  { sessionId, messageId, askedIn = messageId }: GivenAnswers & { readonly sessionId: string },
): Promise<string> {
  if (askedIn === messageId) return messageId;
  const asked = await getMessageOf(control, actor, { sessionId, messageId: askedIn });
  const chain = await readChain(control, actor, asked);
  return chain.some(({ id }) => id === messageId) ? askedIn : messageId;
}

/** Returns the id of the last one of these inputs that is answered: what follows it is new to the client. */
export async function lastAnswered(
  control: Control,
  actor: Actor,
  { messageId, answers }: GivenAnswers,
): Promise<string | undefined> {
  const { inputs } = await getMessage(control, actor, messageId);
  const isGiven = (key: string) => answers.some((answer) => answer.key === key);
  const last = inputs?.findLast(({ key, status }) => status === "answered" && isGiven(key));
  return last && inputIdOf(messageId, last.key);
}

/** Returns whether the message still waits for the input. */
export async function isAsked(control: Control, actor: Actor, { messageId, key }: InputId): Promise<boolean> {
  const { inputs } = await getMessage(control, actor, messageId);
  return inputs?.some((input) => input.key === key && input.status === "waiting") === true;
}

/** Returns a message, and the messages that it became part of. */
async function readChain(control: Control, actor: Actor, message: MessageRecord): Promise<MessageRecord[]> {
  const into = message.merged_into ?? message.delivered_in;
  if (into === undefined) return [message];
  return [message, ...(await readChain(control, actor, await getMessage(control, actor, into)))];
}

/** @throws AppError `not_found`, also for a message of another session */
export async function getMessageOf(
  control: Control,
  actor: Actor,
  { sessionId, messageId }: { readonly sessionId: string; readonly messageId: string },
): Promise<MessageRecord> {
  const message = await getMessage(control, actor, messageId);
  if (message.session_id !== sessionId) throw notFound("message");
  return message;
}

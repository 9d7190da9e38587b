// Sends the lines of a chat and shows their turns, one after the other.

import { isTerminal } from "@dari/client";
import type { SendMessageRequest } from "@dari/contract";
import { rememberLast } from "../last-used.ts";
import { attachFiles } from "./attach.ts";
import { createRunningTurn } from "./running-turn.ts";
import type { Chat } from "./state.ts";
import { showTurn, type ShownMessage } from "./turn.ts";

export interface SentLine {
  readonly text: string;
  /** Files to attach. */
  readonly paths: readonly string[];
  /** Whether it waits for the end of a running turn, and does not steer it. */
  readonly isQueued?: boolean;
}

export interface Turns {
  readonly isRunning: boolean;
  /** Sends a line. Resolves when the platform has accepted it. */
  send(line: SentLine): Promise<void>;
  /** Shows the turns of messages that were sent before. */
  attach(messageIds: readonly string[]): void;
  /** Cancels the running turn, also if its message is not sent yet. */
  cancel(): void;
  /** Resolves when no turn is shown any more. Rejects if a turn could not be shown to its end. */
  ended(): Promise<void>;
}

export interface TurnsOptions {
  /** Called before each turn that this chat starts. Resolves with the session to send to. */
  readonly beforeTurn?: (sessionId: string) => Promise<string>;
  /** Called when a turn has ended. */
  onEnd(): void;
  /** Called if a turn could not be shown to its end. What it throws ends the chat's turns. */
  onFailure(error: unknown): void;
  cancelMessage(messageId: string): void;
  note(text: string): void;
}

export function createTurns(chat: Chat, options: TurnsOptions): Turns {
  const { api, view } = chat;
  const { note } = options;
  const running = createRunningTurn(options.cancelMessage);
  const waiting: ShownMessage[] = [];
  let sending: Promise<unknown> = Promise.resolve();
  let showing: Promise<void> | undefined;

  async function showAll(): Promise<void> {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      if (running.messageId !== message.id) running.begin();
      running.sent(message.id);
      try {
        if (!(message.isRepeated && (await wasDelivered(chat, message.id)))) await showTurn(view, message);
      } catch (error) {
        options.onFailure(error);
      } finally {
        running.end();
        options.onEnd();
      }
    }
  }

  function add(message: ShownMessage): void {
    waiting.push(message);
    if (showing !== undefined) return;
    showing = showAll().finally(() => (showing = undefined));
    // `ended` rejects as well.
    showing.catch(() => undefined);
  }

  async function deliver({ text, paths, isQueued = false }: SentLine): Promise<void> {
    const { parts, missing } = await attachFiles(api, paths, view.signal);
    for (const path of missing) note(`${path} is not a file here; it is sent as text`);
    const isFirst = showing === undefined;
    if (isFirst && options.beforeTurn !== undefined) chat.sessionId = await options.beforeTurn(chat.sessionId);
    const content = { parts: [{ type: "text", text } as const, ...parts], ...(isFirst ? {} : onBusy(isQueued)) };
    const sent = await api.sendMessageAsync(chat.sessionId, content, { signal: view.signal });
    // `dari dev` deletes a session without messages.
    await rememberLast(chat.context, { session: chat.sessionId });
    view.texts.set(sent.id, text);
    if (!isFirst) note(describeDelivery(isQueued, parts.length > 0));
    add({ id: sent.id, isRepeated: !isFirst });
  }

  return {
    get isRunning() {
      return running.isRunning;
    },
    async send(line) {
      if (!running.isRunning) running.begin();
      // In the order in which the lines were entered.
      const sent = sending.then(() => deliver(line));
      sending = sent.catch(() => undefined);
      try {
        await sent;
      } catch (error) {
        if (showing === undefined) running.end();
        throw error;
      }
    },
    attach(messageIds) {
      for (const id of messageIds) add({ id, isRepeated: true });
    },
    cancel: () => running.cancel(),
    ended: () => showing ?? Promise.resolve(),
  };
}

/** Whether the message was part of a turn that has ended, which this chat has shown. */
async function wasDelivered({ api, view }: Chat, messageId: string): Promise<boolean> {
  const record = await api.getMessage(messageId, {}, { signal: view.signal });
  return record.delivered_in !== undefined && isTerminal(record);
}

function onBusy(isQueued: boolean): Pick<SendMessageRequest, "on_busy"> {
  return { on_busy: isQueued ? "enqueue" : "steer" };
}

function describeDelivery(isQueued: boolean, hasFiles: boolean): string {
  if (isQueued) return "queued: it runs after this turn";
  if (hasFiles) return "queued, because it has files: it runs after this turn";
  return "sent to the running turn; if the agent does not take it, it runs after the turn";
}

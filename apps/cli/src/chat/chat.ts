// A conversation in the terminal: reads lines, and runs a turn or a command for each.

import { ApiError, ConnectionError } from "@dari/client";
import type { Context } from "../context.ts";
import { withoutControls } from "../controls.ts";
import { CliError } from "../exit.ts";
import { rememberLast } from "../last-used.ts";
import { hasStyles, paint } from "../style.ts";
import { attachFiles } from "./attach.ts";
import { chatCommands } from "./commands.ts";
import { createInterrupts, type Interrupts } from "./interrupts.ts";
import { openLines } from "./lines.ts";
import { parseLine, type ChatLine } from "./parse-line.ts";
import { createRunningTurn, type RunningTurn } from "./running-turn.ts";
import { UsageError, type Chat } from "./state.ts";
import { runTurn } from "./turn.ts";

export interface ChatOptions {
  readonly sessionId: string;
  /** Whether the agent's stdout and stderr are shown. */
  readonly logs: boolean;
  /** Called before each turn. Resolves with the session to send to. */
  readonly beforeTurn?: (sessionId: string) => Promise<string>;
}

export interface OpenChat extends Disposable {
  /** The session of the conversation now. */
  readonly sessionId: string;
  /** Shows a line, above the prompt if there is one. */
  note(text: string): void;
  /** Runs until the person leaves or the input ends. */
  run(): Promise<void>;
}

interface Conversation {
  readonly chat: Chat;
  readonly running: RunningTurn;
  readonly interrupts: Interrupts;
  readonly leaving: AbortSignal;
  readonly options: ChatOptions;
  note(text: string): void;
}

export async function openChat(context: Context, options: ChatOptions): Promise<OpenChat> {
  const { io, signal } = context;
  const api = await context.client();
  const interrupts = createInterrupts();
  const leaving = new AbortController();
  const running = createRunningTurn((messageId) => {
    api.cancelMessage(messageId).then(
      () => lines.dismiss(),
      (error: unknown) => {
        if (leaving.signal.aborted || running.messageId !== messageId) return;
        note(`Not cancelled: ${error instanceof Error ? error.message : String(error)}. Press Ctrl-C to try again.`);
        interrupts.reset();
      },
    );
  });
  const lines = openLines(io, () => {
    const what = interrupts.press(running.isRunning);
    if (what === "hint") return lines.above("Press Ctrl-C again, or Ctrl-D, to leave.\n");
    if (what === "leave") {
      leaving.abort();
      return lines.close();
    }
    lines.above("\nCancelling…\n");
    running.cancel();
  });
  const isStyled = hasStyles(io);
  const view = {
    api,
    lines,
    signal: AbortSignal.any([signal, leaving.signal]),
    write: (text: string) => void io.stdout.write(text),
    note: (text: string) => void (lines.isTerminal ? io.stdout : io.stderr).write(text),
    isStyled,
    logs: options.logs,
  };
  const chat = { api, context, view, sessionId: options.sessionId };
  const note = (text: string): void => {
    const shown = withoutControls(text);
    lines.above(`${isStyled ? paint("dim", shown) : shown}\n`);
  };
  const conversation = { chat, running, interrupts, leaving: leaving.signal, options, note };
  return {
    get sessionId() {
      return chat.sessionId;
    },
    note,
    run: () => converse(conversation),
    [Symbol.dispose]: () => lines[Symbol.dispose](),
  };
}

async function converse(conversation: Conversation): Promise<void> {
  const { chat, interrupts, leaving } = conversation;
  for (;;) {
    const line = await chat.view.lines.next("> ");
    interrupts.reset();
    if (line === undefined) return;
    const parsed = parseLine(line);
    if (parsed.kind === "command" && (parsed.name === "exit" || parsed.name === "quit")) return;
    try {
      await handleLine(conversation, parsed);
    } catch (error) {
      if (leaving.aborted && !chat.context.signal.aborted) return;
      if (chat.context.signal.aborted || !isSurvivable(error, chat.view.lines.isTerminal)) throw error;
      chat.view.note(`${withoutControls(error.message)}\n`);
    }
  }
}

/** A chat continues after a refusal and an invalid line. In a terminal, it also continues after a broken connection. */
function isSurvivable(error: unknown, isTerminal: boolean): error is Error {
  if (error instanceof ApiError || error instanceof UsageError) return true;
  return isTerminal && (error instanceof ConnectionError || error instanceof CliError);
}

async function handleLine(conversation: Conversation, line: ChatLine): Promise<void> {
  if (line.kind === "message") return sendLine(conversation, line.text, line.paths);
  if (line.kind === "empty") return;
  const command = Object.hasOwn(chatCommands, line.name) ? chatCommands[line.name] : undefined;
  if (command === undefined) throw new UsageError(`there is no command /${line.name}; /help lists all`);
  await command.run(conversation.chat, line.argument);
}

async function sendLine(conversation: Conversation, text: string, paths: readonly string[]): Promise<void> {
  const { chat, running, interrupts, options, note } = conversation;
  const { api, view } = chat;
  const { parts, missing } = await attachFiles(api, paths, view.signal);
  for (const path of missing) note(`${path} is not a file here; it is sent as text`);
  if (options.beforeTurn !== undefined) chat.sessionId = await options.beforeTurn(chat.sessionId);
  running.begin();
  try {
    const content = { parts: [{ type: "text", text } as const, ...parts] };
    await runTurn(view, chat.sessionId, content, (messageId) => {
      running.sent(messageId);
      // `dari dev` deletes a session without messages.
      return rememberLast(chat.context, { session: chat.sessionId });
    });
  } finally {
    running.end();
    interrupts.reset();
  }
}

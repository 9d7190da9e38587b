// A conversation in the terminal: reads lines, and sends a message or runs a command for each. In a terminal, lines are
// read while a turn runs.

import { ApiError, ConnectionError, eachRow, isTerminal } from "@dari/client";
import type { Context } from "../context.ts";
import { withoutControls } from "../controls.ts";
import { CliError } from "../exit.ts";
import { paint } from "../style.ts";
import { chatCommands } from "./commands.ts";
import { createInterrupts, type Interrupts } from "./interrupts.ts";
import { openLines } from "./lines.ts";
import { parseLine, type ChatLine } from "./parse-line.ts";
import { openScreen } from "./screen.ts";
import { UsageError, type Chat } from "./state.ts";
import { createTurns, type SentLine, type Turns } from "./turns.ts";

export interface ChatOptions {
  readonly sessionId: string;
  /** Whether the agent's stdout and stderr are shown. */
  readonly logs: boolean;
  /** Whether the session can have messages that have not ended. Their turns are shown first. */
  readonly isExisting?: boolean;
  /** Called before each turn that this chat starts. Resolves with the session to send to. */
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
  readonly turns: Turns;
  readonly interrupts: Interrupts;
  readonly leaving: AbortController;
  readonly options: ChatOptions;
  note(text: string): void;
}

export async function openChat(context: Context, options: ChatOptions): Promise<OpenChat> {
  const { io, signal } = context;
  const api = await context.client();
  const interrupts = createInterrupts();
  const leaving = new AbortController();
  const lines = openLines(io, () => {
    const what = interrupts.press(turns.isRunning);
    if (what === "hint") return screen.above("Press Ctrl-C again, or Ctrl-D, to leave.\n");
    if (what === "leave") {
      leaving.abort();
      return lines.close();
    }
    screen.above("Cancelling…\n");
    turns.cancel();
  });
  const screen = openScreen(io, lines);
  const view = {
    api,
    lines,
    screen,
    signal: AbortSignal.any([signal, leaving.signal]),
    logs: options.logs,
    texts: new Map<string, string>(),
  };
  const chat = { api, context, view, sessionId: options.sessionId };
  const note = (text: string): void => {
    const shown = withoutControls(text);
    screen.above(`${screen.isStyled ? paint("dim", shown) : shown}\n`);
  };
  const { beforeTurn } = options;
  const turns = createTurns(chat, {
    note,
    onEnd: () => interrupts.reset(),
    onFailure(error) {
      if (!lines.isTerminal || view.signal.aborted) throw error;
      note(messageOf(error));
    },
    cancelMessage(messageId) {
      api.cancelMessage(messageId).then(
        () => lines.dismiss(),
        (error: unknown) => {
          if (leaving.signal.aborted || !turns.isRunning) return;
          note(`Not cancelled: ${messageOf(error)}. Press Ctrl-C to try again.`);
          interrupts.reset();
        },
      );
    },
    ...(beforeTurn === undefined ? {} : { beforeTurn }),
  });
  const conversation = { chat, turns, interrupts, leaving, options, note };
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
  const { chat, turns, interrupts, leaving } = conversation;
  const { context, view } = chat;
  if (conversation.options.isExisting === true) turns.attach(await listOpenMessages(chat));
  if (!view.lines.isTerminal) await turns.ended();
  for (;;) {
    const line = await view.lines.next("> ");
    interrupts.reset();
    const parsed = line === undefined ? undefined : parseLine(line);
    if (parsed === undefined || (parsed.kind === "command" && (parsed.name === "exit" || parsed.name === "quit")))
      break;
    try {
      await handleLine(conversation, parsed);
    } catch (error) {
      report(conversation, error);
    }
  }
  const isLeft = turns.isRunning && !leaving.signal.aborted;
  leaving.abort();
  await turns.ended().catch(() => undefined);
  context.signal.throwIfAborted();
  if (isLeft) context.output.progress(`The turn continues; to return to it: dari chat ${chat.sessionId}`);
}

/** Shows an error after which the chat continues. @throws every other error */
function report({ chat, leaving, note }: Conversation, error: unknown): void {
  const { context, view } = chat;
  if (leaving.signal.aborted && !context.signal.aborted) return;
  if (context.signal.aborted || !isSurvivable(error, view.lines.isTerminal)) throw error;
  note(error.message);
}

/** A chat continues after a refusal and an invalid line. In a terminal, it also continues after a broken connection. */
function isSurvivable(error: unknown, isTerminal: boolean): error is Error {
  if (error instanceof ApiError || error instanceof UsageError) return true;
  return isTerminal && (error instanceof ConnectionError || error instanceof CliError);
}

async function handleLine(conversation: Conversation, line: ChatLine): Promise<void> {
  const { chat, turns } = conversation;
  if (line.kind === "message") return sendLine(conversation, line);
  if (line.kind === "empty") return;
  if (line.name === "queue") {
    const queued = parseLine(line.argument);
    if (queued.kind !== "message") throw new UsageError("/queue needs a message: /queue <text>");
    return sendLine(conversation, { ...queued, isQueued: true });
  }
  const command = Object.hasOwn(chatCommands, line.name) ? chatCommands[line.name] : undefined;
  if (command === undefined) throw new UsageError(`there is no command /${line.name}; /help lists all`);
  if (command.needsIdle === true && turns.isRunning) {
    throw new UsageError(`a turn is running; use /${line.name} after it, or cancel it with Ctrl-C`);
  }
  await command.run(chat, line.argument);
}

/** In a terminal, the next line is read at once. */
async function sendLine(conversation: Conversation, line: SentLine): Promise<void> {
  const { chat, turns, leaving, note } = conversation;
  const sent = turns.send(line);
  if (!chat.view.lines.isTerminal) {
    await sent;
    return turns.ended();
  }
  sent.catch((error: unknown) => {
    if (!leaving.signal.aborted) note(messageOf(error));
  });
}

/** Returns the messages of a session that have not ended, oldest first. */
async function listOpenMessages({ api, view, sessionId }: Chat): Promise<string[]> {
  const { signal } = view;
  const { status } = await api.getSession(sessionId, { signal });
  if (status !== "active") return [];
  const open: string[] = [];
  for await (const message of eachRow((page) => api.listMessages(sessionId, page, { signal }))) {
    if (!isTerminal(message)) open.push(message.id);
  }
  return open;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

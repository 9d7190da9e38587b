// The commands of a chat: lines that begin with a slash.

import { eachRow } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { sessionAddress } from "../console-address.ts";
import { withoutControls } from "../controls.ts";
import { rememberLast } from "../last-used.ts";
import { table } from "../output.ts";
import type { Chat } from "./state.ts";

export interface ChatCommand {
  readonly description: string;
  /** Whether it changes the session in a way that a running turn does not allow. */
  readonly needsIdle?: boolean;
  run(chat: Chat, argument: string): Promise<void>;
}

const otherHelp = [
  "/queue  while a turn runs, send a message that runs after it: /queue <text>; other lines steer the turn",
  "/exit   leave (also: Ctrl-D); a running turn continues",
  '@path   attach a file: @report.pdf, @"my file.pdf"',
  "Ctrl-C  cancel the turn; twice: leave",
];

export const chatCommands: Readonly<Record<string, ChatCommand>> = {
  help: {
    description: "list the commands",
    async run({ view }) {
      const rows = Object.entries(chatCommands).map(([name, { description }]) => `/${name.padEnd(6)} ${description}`);
      view.screen.print([...rows, ...otherHelp].join("\n"));
    },
  },
  files: {
    description: "list the session's files: /files [directory]",
    async run({ api, view, sessionId }, argument) {
      const query = argument === "" ? { recursive: true } : { path: argument, recursive: true };
      const { entries } = await api.listSessionFiles(sessionId, query, { signal: view.signal });
      const rows = entries.map(({ path, type, size_bytes: size }) => [path, type, String(size ?? "")]);
      view.screen.print(withoutControls(table(["PATH", "TYPE", "BYTES"], rows)));
    },
  },
  diff: {
    description: "show what the last turn changed",
    async run(chat) {
      const { api, view } = chat;
      const last = (await messagesOf(chat)).at(-1);
      const diff = last === undefined ? "" : await api.getMessageDiff(last.id, { signal: view.signal });
      const shown = colourDiff(withoutControls(diff), view.screen.isStyled);
      view.screen.print(diff === "" ? "(the last turn changed no file)" : shown);
    },
  },
  fork: {
    description: "continue in a copy of the session; the original stays as it is",
    needsIdle: true,
    async run(chat) {
      await moveTo(chat, (await chat.api.forkSession(chat.sessionId, {}, { signal: chat.view.signal })).id);
    },
  },
  undo: {
    description: "go back to before the last message",
    needsIdle: true,
    async run(chat) {
      const { api, view, sessionId } = chat;
      const messages = await messagesOf(chat);
      const before = messages.at(-2);
      if (messages.length === 0) return view.screen.print("(there is no message to undo)");
      if (before !== undefined) {
        await api.rollBackSession(sessionId, { message_id: before.id }, { signal: view.signal });
        return view.screen.print("The last message and its changes of files are undone.");
      }
      // A session cannot go back to before its first message.
      const { agent_id, version_id } = await api.getSession(sessionId, { signal: view.signal });
      await moveTo(chat, (await api.createSession(agent_id, { version_id }, { signal: view.signal })).id);
    },
  },
};

async function moveTo(chat: Chat, sessionId: string): Promise<void> {
  const { apiUrl } = await chat.context.connection();
  chat.sessionId = sessionId;
  await rememberLast(chat.context, { session: sessionId });
  chat.view.screen.print(`Now in ${sessionId}: ${sessionAddress(apiUrl, sessionId)}`);
}

/** Returns the messages of the conversation as it is now, oldest first. */
async function messagesOf({ api, view, sessionId }: Chat): Promise<MessageRecord[]> {
  const messages: MessageRecord[] = [];
  const load = eachRow((page) => api.listMessages(sessionId, page, { signal: view.signal }));
  for await (const message of load) if (message.rolled_back !== true) messages.push(message);
  return messages;
}

function colourDiff(diff: string, isStyled: boolean): string {
  if (!isStyled) return diff;
  const colour = (line: string): string => {
    if (/^(\+\+\+|---|diff )/.test(line)) return `\u001b[1m${line}\u001b[22m`;
    const code = line.startsWith("+") ? 32 : line.startsWith("-") ? 31 : line.startsWith("@@") ? 36 : undefined;
    return code === undefined ? line : `\u001b[${code}m${line}\u001b[39m`;
  };
  return diff.split("\n").map(colour).join("\n");
}

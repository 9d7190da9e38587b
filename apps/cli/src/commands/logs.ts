// `dari logs`: what the agent wrote in one message or in a session.

import { isLedgerEvent, isTerminal, type Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Command } from "commander";
import { setTimeout as pause } from "node:timers/promises";
import { createContext, type Context, type Io } from "../context.ts";
import { textFor } from "../controls.ts";
import { invalid } from "../exit.ts";

/** How often the log of a running turn is read, in milliseconds. */
const pollEveryMs = 500;

export function addLogsCommand(program: Command, io: Io): void {
  program
    .command("logs <message-or-session>")
    .description("show what the agent wrote to stdout and stderr (of a session: in its newest message)")
    .option("-f, --follow", "wait for further output, until the message ends or, for a session, until interrupted")
    .action(async (id: string, options: { readonly follow?: boolean }, command: Command) => {
      const context = createContext(io, command);
      const { output, signal } = context;
      const api = await context.client();
      const newest = id.startsWith("sess_") ? (await api.getSession(id, { signal })).last_message_id : id;
      if (options.follow !== true) {
        if (newest === null) throw invalid("the session has no message yet");
        const logs = await api.getMessageLogs(newest, {}, { signal });
        output.result({ message_id: newest, logs }, () => logs);
        // A log without output has only the headings of attempts.
        if (!/^(?!== attempt )./m.test(logs)) output.progress(`(the agent wrote nothing in ${newest})`);
      } else if (newest !== id) {
        await followSession(context, api, id, newest);
      } else {
        let record = await followMessage(context, api, id);
        while (record.merged_into !== undefined) record = await followMessage(context, api, record.merged_into);
      }
    });
}

/** Polls the stored log, so that no output is missed or shown twice. Resolves with the message once it has ended. */
async function followMessage(context: Context, api: Client, messageId: string): Promise<MessageRecord> {
  const { io, output, signal } = context;
  let shown = 0;
  for (;;) {
    const record = await api.getMessage(messageId, { signal });
    const logs = await api.getMessageLogs(messageId, {}, { signal });
    const piece = logs.slice(shown);
    shown = logs.length;
    if (!output.isJson) io.stdout.write(textFor(io.stdout, piece));
    else if (piece !== "") output.line({ message_id: messageId, logs: piece }, () => piece);
    if (isTerminal(record)) return record;
    await pause(pollEveryMs, undefined, { signal });
  }
}

async function followSession(context: Context, api: Client, sessionId: string, newest: string | null): Promise<void> {
  const { signal } = context;
  const followed = new Set<string>();
  let isPast = newest !== null;
  for await (const event of api.streamSession(sessionId, {}, { signal })) {
    if (!isLedgerEvent(event) || event.message_id === undefined) continue;
    if (event.message_id === newest) isPast = false;
    if (isPast || event.type !== "attempt.started" || followed.has(event.message_id)) continue;
    followed.add(event.message_id);
    await followMessage(context, api, event.message_id);
  }
}

// `dari logs`: what an agent wrote in a message, a session or all its sessions, and the log of the platform.

import type { Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Command } from "commander";
import { createContext, type Context, type Io } from "../context.ts";
import { textFor, withoutControls } from "../controls.ts";
import { invalid } from "../exit.ts";
import { followAgent, followMessage, followSession, type LogReader } from "../logs/agent-log.ts";
import { platformLogPath, readPlatformLog } from "../logs/platform-log.ts";
import { painter, renderAgentLog, renderPlatformLine } from "../logs/render-log.ts";
import { parseCount } from "../options.ts";
import { hasStyles } from "../style.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly platform?: boolean;
  readonly lines?: number;
}

export function addLogsCommand(program: Command, io: Io): void {
  program
    .command("logs [agent-or-message-or-session]")
    .description(
      "show what the agent wrote to stdout and stderr: in a message, or in the newest one of a session or agent; " +
        "-: the last session",
    )
    .option("-f, --follow", "wait for further output: of a message until it ends, otherwise until interrupted")
    .option("--timestamps", "show when the platform stored each line")
    .option("--platform", "show the log of `npm start` on this machine instead")
    .option("--lines <count>", "with --platform: how many of the last lines to show (default: 100)", parseCount)
    .action(async (id: string | undefined, options: LogsOptions, command: Command) => {
      const context = createContext(io, command);
      if (options.platform === true) {
        if (id !== undefined) throw invalid("give either --platform or an agent, session or message");
        return showPlatformLog(context, options);
      }
      if (id === undefined) throw invalid("name an agent, session or message, or give --platform");
      if (options.lines !== undefined) throw invalid("--lines can only be used with --platform");
      const api = await context.client();
      if (options.follow === true) await follow(context, api, id, options);
      else await show(context, api, id, options);
    });
}

async function show(context: Context, api: Client, id: string, { timestamps = false }: LogsOptions): Promise<void> {
  const { io, output, signal } = context;
  const newest = await findNewest(api, id, signal);
  if (newest === null) throw invalid(`${id.startsWith("sess_") ? "the session" : "the agent"} has no message yet`);
  const logs = await api.getMessageLogs(newest, { timestamps }, { signal });
  if (output.isJson || !hasStyles(io)) output.result({ message_id: newest, logs }, () => logs);
  else io.stdout.write(renderAgentLog(withoutControls(logs), painter(true)));
  // A log without output has only the headings of attempts.
  if (!/^(?!== attempt )./m.test(logs)) output.progress(`(the agent wrote nothing in ${newest})`);
}

/** Returns the newest message of an agent or a session, or the message itself. */
async function findNewest(api: Client, id: string, signal: AbortSignal): Promise<string | null> {
  if (id.startsWith("msg_")) return id;
  if (id.startsWith("sess_")) return (await api.getSession(id, { signal })).last_message_id;
  const { data } = await api.listSessionSummaries({ agent_id: id, limit: 1 }, { signal });
  return data[0]?.last_message_id ?? null;
}

async function follow(context: Context, api: Client, id: string, { timestamps = false }: LogsOptions): Promise<void> {
  const { io, output, signal } = context;
  const isStyled = hasStyles(io);
  const paint = painter(isStyled);
  const isOfAgent = !id.startsWith("msg_") && !id.startsWith("sess_");
  let shown: string | undefined;
  const heading = ({ id: message, session_id: session }: MessageRecord): string => {
    if (!isOfAgent || shown === message) return "";
    const gap = shown === undefined ? "" : "\n";
    shown = message;
    return `${gap}${paint("bold", `== ${session} ${message}`)}\n`;
  };
  const reader: LogReader = {
    api,
    signal,
    timestamps,
    show(message, piece) {
      if (output.isJson) return output.line({ message_id: message.id, logs: piece }, () => piece);
      const text = isStyled ? renderAgentLog(withoutControls(piece), paint) : textFor(io.stdout, piece);
      io.stdout.write(`${heading(message)}${text}`);
    },
  };
  if (isOfAgent) await followAgent(reader, id);
  else if (id.startsWith("sess_")) await followSession(reader, id);
  else await followMessage(reader, id);
}

async function showPlatformLog({ io, output, signal }: Context, options: LogsOptions): Promise<void> {
  const { lines = 100, follow = false } = options;
  const paint = painter(hasStyles(io));
  for await (const line of readPlatformLog(platformLogPath(io.environment), { lines, follow, signal })) {
    // The log has lines of JSON: a program gets them unchanged.
    io.stdout.write(`${output.isJson ? line : renderPlatformLine(line, paint)}\n`);
  }
}

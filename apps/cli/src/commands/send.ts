// `dari session send`: uploads files, sends the message, waits for its end and shows the answer.

import type { Client } from "@dari/client";
import type { MessagePartInput, MessageRecord, SendMessageRequest } from "@dari/contract";
import { onBusyChoices, type Lane, type OnBusy } from "@dari/domain";
import { type Command, InvalidArgumentError, Option } from "commander";
import { createContext, type Context, type Io } from "../context.ts";
import { CliError } from "../exit.ts";
import { collectOption, given, laneOption, parsePairs } from "../options.ts";
import { rememberLast } from "../last-used.ts";
import { uploadPath } from "../upload.ts";
import { textOfAnswer } from "../answer-text.ts";
import { watchMessage } from "../watch-message.ts";
import { renderWaiting } from "./answer.ts";
import { count } from "./limits.ts";
import { renderOutput } from "./message.ts";

interface SendOptions {
  readonly file: readonly string[];
  readonly image: readonly string[];
  readonly metadata: readonly string[];
  readonly onBusy?: OnBusy;
  readonly lane?: Lane;
  readonly limitRequests?: number;
  readonly limitTokens?: number;
  readonly limitCost?: number;
  readonly async?: boolean;
  readonly stream?: boolean;
  readonly verbose?: boolean;
}

export function addSendCommand(session: Command, io: Io): void {
  session
    .command("send <session> <text>")
    .description("send a message and show the answer")
    .option("--file <path>", "attach a file; repeatable", collectOption, [])
    .option("--image <path>", "attach an image; repeatable", collectOption, [])
    .option("--metadata <key=value>", "add a metadata pair; repeatable", collectOption, [])
    .addOption(
      new Option("--on-busy <choice>", "what to do if the session is busy (default: the session's)").choices(
        onBusyChoices,
      ),
    )
    .addOption(laneOption("interactive"))
    .addOption(
      new Option("--limit-requests <number>", "maximum requests to models, up to those of dari.yml").argParser(count),
    )
    .addOption(
      new Option("--limit-tokens <number>", "maximum tokens of these requests, up to those of dari.yml").argParser(
        count,
      ),
    )
    .addOption(
      new Option("--limit-cost <dollars>", "maximum cost of these requests, up to that of dari.yml").argParser(dollars),
    )
    .option("--async", "do not wait for the answer; show the message's id")
    .option("--stream", "show the answer and the agent's output as they arrive; default on a terminal")
    .option("--no-stream", "show the answer when it is complete")
    .addOption(verboseOption())
    .action(async (id: string, text: string, options: SendOptions, command: Command) => {
      const context = createContext(io, command);
      const { output, client, signal } = context;
      const api = await client();
      const metadata = parsePairs(options.metadata, "--metadata");
      const limits = given({
        requests: options.limitRequests,
        tokens: options.limitTokens,
        cost_usd: options.limitCost,
      });
      const content = {
        parts: [{ type: "text", text } as const, ...(await uploadParts(api, options, signal))],
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
        ...given({ on_busy: options.onBusy, lane: options.lane }),
        ...(Object.keys(limits).length === 0 ? {} : { limits }),
      };
      const remember = () => rememberLast(context, { session: id });
      if (options.async === true) {
        const queued = await api.sendMessageAsync(id, content, { signal });
        await remember();
        output.result(queued, () => queued.id);
        return;
      }
      const onAccepted = async (messageId: string): Promise<void> => {
        await remember();
        output.progress(`Message ${messageId}`);
      };
      failUnlessCompleted(await sendAndShow(context, api, { sessionId: id, content, onAccepted }, options));
    });
}

/** Parses US dollars. The API knows the bounds. @throws InvalidArgumentError */
function dollars(text: string): number {
  if (!/^\d{1,6}(\.\d{1,6})?$/.test(text)) throw new InvalidArgumentError("expected US dollars, such as 0.5 or 2");
  return Number(text);
}

/** `--verbose` of commands that show a turn */
export function verboseOption(): Option {
  return new Option("--verbose", "show the turn as it runs, with arguments and results of tools, reasoning and tokens");
}

interface Sending {
  readonly sessionId: string;
  readonly content: SendMessageRequest;
  /** Called with the message's id when the platform has accepted it. */
  readonly onAccepted?: (messageId: string) => Promise<void>;
}

/**
 * Sends a message and shows its answer: as it streams if `stream`, otherwise when it is complete. Resolves with its
 * end.
 */
export async function sendAndShow(
  { io, output, signal }: Context,
  api: Client,
  { sessionId, content, onAccepted = () => Promise.resolve() }: Sending,
  { verbose = false, stream = verbose || io.stdout.isTTY === true }: Pick<SendOptions, "stream" | "verbose">,
): Promise<MessageRecord> {
  if (!output.isJson && stream) {
    // Previews are not stored: a stream that is opened after the message was sent can miss the first ones.
    const events = api.sendMessageStream(sessionId, content, { signal });
    const { record, shownText } = await watchMessage(events, { io, isVerbose: verbose, onAccepted });
    output.result(record, () => renderRest(record, shownText));
    return record;
  }
  const queued = await api.sendMessageAsync(sessionId, content, { signal });
  await onAccepted(queued.id);
  const onRecord = onChange((record) => output.progress(describeProgress(record)));
  const ended = await api.waitForMessage(queued.id, { signal, onRecord });
  const { delivered_in: turn, delivered_after: after } = ended;
  if (turn === undefined) output.result(ended, () => renderOutput(ended));
  else {
    output.progress(`delivered in the turn of ${turn}, after event ${after}`);
    const answered = await api.waitForMessage(turn, { signal });
    output.result(ended, () => renderOutput(answered));
  }
  return ended;
}

/** @throws CliError that says how the message ended, unless it has completed */
export function failUnlessCompleted(record: MessageRecord): void {
  if (record.status !== "completed") throw new CliError(describeEnd(record));
}

export async function uploadParts(
  api: Client,
  options: Pick<SendOptions, "file" | "image">,
  signal: AbortSignal,
): Promise<MessagePartInput[]> {
  const parts: MessagePartInput[] = [];
  for (const path of options.file) parts.push({ type: "file", file_id: (await uploadPath(api, path, signal)).id });
  for (const path of options.image) parts.push({ type: "image", file_id: (await uploadPath(api, path, signal)).id });
  return parts;
}

/**
 * Returns the part of the answer that was not streamed to the terminal. Returns the whole answer if it does not begin
 * with the streamed text.
 */
function renderRest(record: MessageRecord, shownText: string): string {
  const text = textOfAnswer(record);
  if (shownText === "") return renderOutput(record);
  if (!text.startsWith(shownText)) return `${shownText.endsWith("\n") ? "" : "\n"}${renderOutput(record)}`;
  const files = renderOutput({ ...record, output: { parts: record.output?.parts.filter(isFile) ?? [] } });
  const gap = text.endsWith("\n") || files.startsWith("\n") ? "" : "\n";
  return `${text.slice(shownText.length)}${gap}${files}`;
}

function isFile(part: { readonly type: string }): boolean {
  return part.type !== "text";
}

/** Returns a function that calls `tell` only if the shown progress of the record has changed. */
function onChange(tell: (record: MessageRecord) => void): (record: MessageRecord) => void {
  let last = "";
  return (record) => {
    const now = describeProgress(record);
    if (now !== last) tell(record);
    last = now;
  };
}

function describeProgress(record: MessageRecord): string {
  const reason = record.waiting_reason === null ? "" : `, waits for: ${record.waiting_reason}`;
  const attempt = record.attempt > 1 ? `, attempt ${record.attempt} of ${record.max_attempts}` : "";
  return [`${record.status}${reason}${attempt}`, ...renderWaiting(record)].join("\n");
}

function describeEnd(record: MessageRecord): string {
  const error = record.output?.error;
  const why = error === undefined ? "" : `: ${error.message} (${error.code})`;
  const advice = `Show its output: dari logs ${record.id}. Retry it: dari message retry ${record.id}`;
  return `message ${record.id} ${record.status}${why}${record.status === "failed" ? `\n${advice}` : ""}`;
}

// A session's conversation, the newest messages of it, as a chat client shows it.

import type { MessagePart, MessageRecord, UiMessage, UiMessages } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { findMessageInOrder, getMessage } from "@dari/control/turns";
import { AppError, invalidField, isId, limits } from "@dari/domain";
import { responseIdOf } from "../openai/response.ts";
import { FoldedMessage } from "./fold-chunks.ts";
import { mediaTypeOf, uploadedFileUrl } from "./ids.ts";
import { readTurnParts } from "./read-turn.ts";
import type { TurnPart } from "./turn-parts.ts";
import { UiChunks } from "./ui-chunks.ts";

/** A message, and what its turn has shown: undefined while the turn is streamed, and if another turn answers. */
export interface Exchange {
  readonly message: MessageRecord;
  readonly parts: readonly TurnPart[] | undefined;
}

export interface HistoryQuery {
  readonly sessionId: string;
  readonly limit: number;
  /** The message before which the page ends. */
  readonly before: string | undefined;
}

/**
 * Reads messages from the newest one back, and what `render` makes of each. A page is read from at most
 * `limits.pageBytes`, but has at least one message. The oldest is first. Leaves out messages that were rolled back, and
 * those that others contain.
 */
export async function readHistory<Shown>(
  control: Control,
  actor: Actor,
  { sessionId, limit, before }: HistoryQuery,
  render: (exchange: Exchange) => Shown[],
): Promise<{ readonly shown: Shown[]; readonly previous: string | null }> {
  const pages: Shown[][] = [];
  let bytes = 0;
  let oldest: MessageRecord | undefined;
  let from = before === undefined ? undefined : (await findCursor(control, actor, sessionId, before)) - 1;
  for (let seen = 0; ; seen++) {
    const message = await findMessageInOrder(control, actor, { sessionId, order: "desc", from });
    if (message === undefined) return { shown: pages.toReversed().flat(), previous: null };
    if (seen === limit) break;
    const exchange = await readExchange(control, actor, message);
    bytes += Buffer.byteLength(JSON.stringify(exchange));
    if (pages.length > 0 && bytes > limits.pageBytes) break;
    pages.push(message.merged_into === undefined ? render(exchange) : []);
    oldest = message;
    from = message.sequence_number - 1;
  }
  return { shown: pages.toReversed().flat(), previous: oldest?.id ?? null };
}

async function readExchange(control: Control, actor: Actor, message: MessageRecord): Promise<Exchange> {
  const isShown = message.completed_at !== null || message.status === "waiting_for_input";
  if (!isShown || (message.merged_into ?? message.delivered_in) !== undefined) return { message, parts: undefined };
  return { message, parts: await readTurnParts(control, actor, message) };
}

async function findCursor(control: Control, actor: Actor, sessionId: string, before: string): Promise<number> {
  const unknown = () => invalidField("before", "expected `previous` of a page of this session");
  if (!isId("message", before)) throw unknown();
  const message = await getMessage(control, actor, before).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "not_found" ? unknown() : error;
  });
  if (message.session_id !== sessionId) throw unknown();
  return message.sequence_number;
}

/** Lists messages as the package `ai` keeps them. `version`: the client's major version of it. */
export async function listUiMessages(
  control: Control,
  actor: Actor,
  query: HistoryQuery,
  version: number,
): Promise<UiMessages> {
  const { shown: messages, previous } = await readHistory(control, actor, query, (exchange) =>
    renderExchange(exchange, version),
  );
  return { messages, previous };
}

function renderExchange({ message, parts }: Exchange, version: number): UiMessage[] {
  const user: UiMessage = {
    id: message.id,
    role: "user",
    metadata: message.metadata,
    parts: message.parts.map(renderUserPart),
  };
  if (parts === undefined) return [user];
  const chunks = new UiChunks({ messageId: message.id, version });
  const folded = new FoldedMessage();
  for (const part of parts) for (const chunk of chunks.encode(part)) folded.take(chunk);
  const answer = folded.render(responseIdOf(message.id));
  return answer === undefined ? [user] : [user, answer];
}

function renderUserPart(part: MessagePart): UiMessage["parts"][number] {
  if (part.type === "text") return { type: "text", text: part.text };
  const filename = part.filename ?? part.path?.slice(part.path.lastIndexOf("/") + 1) ?? part.file_id;
  return { type: "file", mediaType: mediaTypeOf(filename), filename, url: uploadedFileUrl(part.file_id) };
}

// Sending a message and waiting for its end, in one call. Waiting reads events, so that the end is known at once.

import type { CallOptions, FileUpload, StreamOptions } from "./call.ts";
import { ConnectionError } from "./errors.ts";
import type { Message, SendMessageRequest, StreamItem } from "./generated/models.ts";
import type { Operations } from "./generated/operations.ts";
import { isLedgerEvent, isMessageEnd } from "./streams.ts";

/** A message without its delivery, which follows from the method. */
export type MessageContent = Omit<SendMessageRequest, "delivery">;

export interface WaitOptions extends CallOptions {
  /** Called with the message's record when it has changed. */
  readonly onRecord?: (record: Message) => void;
}

export interface SendOptions extends WaitOptions, Omit<MessageContent, "parts"> {
  /** Uploaded and sent with the text. */
  readonly files?: readonly FileUpload[];
}

/** What `send` and `stream` send in addition to the text. */
type TextFields = Pick<SendOptions, "files"> & Omit<MessageContent, "parts">;

/** Events after which a message's record is different. */
const changes: readonly string[] = ["message.status_changed", "attempt.started", "attempt.ended", "input.requested"];

export function messageMethods(api: Operations) {
  /** Reads a message's events to its end, and returns its record. */
  async function awaitEnd(events: AsyncIterable<StreamItem>, options: WaitOptions, id?: string): Promise<Message> {
    const { onRecord, ...call } = options;
    let current = id;
    for await (const event of events) {
      if (isMessageEnd(event)) {
        onRecord?.(event.data);
        if (event.data.merged_into === undefined) return event.data;
      } else if (isLedgerEvent(event) && event.message_id !== undefined) {
        const isChanged = current !== event.message_id || changes.includes(event.type);
        current = event.message_id;
        if (isChanged && onRecord !== undefined) onRecord(await api.getMessage(current, {}, call));
      }
    }
    if (current === undefined) throw new ConnectionError("the stream ended before the message did");
    const record = await api.getMessage(current, {}, call);
    return record.merged_into === undefined ? record : waitForMessage(record.merged_into, options);
  }

  /** Waits for a message's end; for a merged message, for the end of the one that it was merged into. */
  const waitForMessage = (messageId: string, options: WaitOptions = {}): Promise<Message> =>
    awaitEnd(api.streamMessage(messageId, {}, callOf(options)), options, messageId);

  /** Sends a message and returns its record when it has ended, completed or not. It takes as long as the turn. */
  const sendMessage = (sessionId: string, body: MessageContent, options: WaitOptions = {}): Promise<Message> =>
    awaitEnd(api.sendMessageStream(sessionId, body, callOf(options)), options);

  /** Uploads the files of a text and returns the message's body. */
  const compose = async (text: string, fields: TextFields, call: CallOptions): Promise<MessageContent> => {
    const { files = [], ...rest } = fields;
    const { idempotencyKey, signal, timeoutMs } = call;
    const upload = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
    const uploaded = await Promise.all(
      files.map((file, index) => api.uploadFile(file, { ...upload, ...uploadKey(idempotencyKey, index) })),
    );
    const parts = uploaded.map(({ id }) => ({ type: "file" as const, file_id: id }));
    return { parts: [{ type: "text" as const, text }, ...parts], ...rest };
  };

  return {
    waitForMessage,
    sendMessage,
    /** Sends a text, with files, and returns the message's record when it has ended. */
    async send(sessionId: string, text: string, options: SendOptions = {}): Promise<Message> {
      const { signal, timeoutMs, idempotencyKey, onRecord, ...fields } = options;
      const call = given({ signal, timeoutMs, idempotencyKey });
      return sendMessage(sessionId, await compose(text, fields, call), { ...call, ...given({ onRecord }) });
    },
    /** Sends a text, with files, and returns the events of its turn, to the message's last one. */
    async *stream(
      sessionId: string,
      text: string,
      options: TextFields & StreamOptions = {},
    ): AsyncGenerator<StreamItem> {
      const { signal, timeoutMs, idempotencyKey, onConnection, ...fields } = options;
      const call = given({ signal, timeoutMs, idempotencyKey });
      const body = await compose(text, fields, call);
      yield* api.sendMessageStream(sessionId, body, { ...call, ...given({ onConnection }) });
    },
  };
}

/** Returns the options that are not undefined. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

const keyCharsMax = 255;

/** Returns the key of an upload, which a repeated call derives again. A long key loses its start. */
function uploadKey(key: string | undefined, index: number): Pick<CallOptions, "idempotencyKey"> {
  if (key === undefined) return {};
  const suffix = `.file-${index}`;
  return { idempotencyKey: key.slice(-(keyCharsMax - suffix.length)) + suffix };
}

function callOf({ onRecord: _, ...call }: WaitOptions): CallOptions {
  return call;
}

/** Returns whether a message's status can no longer change. */
export function isTerminal(record: Pick<Message, "status">): boolean {
  return record.status === "completed" || record.status === "failed" || record.status === "cancelled";
}

// The hook: a session's conversation as React state, and what a page can do with it.

import {
  createClient,
  type AnswerInputRequest,
  type Client,
  type File as UploadedFile,
  type Message,
} from "@dari/client";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { AskedInput } from "./conversation.ts";
import { ConversationStore, type ConversationState } from "./conversation-store.ts";

export interface DariOptions {
  /** The platform's address, without `/v1`. */
  readonly apiUrl: string;
  readonly sessionId: string;
  /** Gets a session token. Called again when the platform refuses the token. Throw if there is none. */
  readonly token: () => string | Promise<string>;
}

/** A file as `<input type="file">` has it. */
export type DariFile = Blob & { readonly name: string };

export interface Dari extends ConversationState {
  /**
   * Sends a message. Resolves when the platform has accepted it; its turn then appears in `messages`. Files that are
   * not uploaded yet are uploaded first.
   */
  send(text: string, files?: readonly (DariFile | UploadedFile)[]): Promise<Message>;
  upload(file: DariFile): Promise<UploadedFile>;
  answer(input: AskedInput, value: AnswerInputRequest["value"]): Promise<Message>;
  /** Stops a message, by default the oldest one that has not ended. Resolves with undefined if there is none. */
  cancel(messageId?: string): Promise<Message | undefined>;
  /** The client of the session's token, for everything else: files of the session, tool calls, diffs. */
  readonly client: Client;
}

/** Shows a session, from its first event on, and follows it while the component is mounted. */
export function useDari({ apiUrl, sessionId, token }: DariOptions): Dari {
  const newestToken = useRef(token);
  useEffect(() => {
    newestToken.current = token;
  });
  const { store, ...actions } = useMemo(() => {
    const client = createClient({ apiUrl, token: () => newestToken.current() });
    const conversation = new ConversationStore(client, sessionId);
    return { store: conversation, client, ...createActions(client, sessionId, conversation.getState) };
  }, [apiUrl, sessionId]);
  useEffect(() => store.start(), [store]);
  const state = useSyncExternalStore(store.subscribe, store.getState, store.getState);
  return { ...state, ...actions };
}

function createActions(client: Client, sessionId: string, getState: () => ConversationState) {
  const upload = (file: DariFile): Promise<UploadedFile> =>
    client.uploadFile({ filename: file.name, content: file, ...(file.type === "" ? {} : { contentType: file.type }) });
  return {
    upload,
    async send(text: string, files: readonly (DariFile | UploadedFile)[] = []): Promise<Message> {
      const uploaded = await Promise.all(files.map(async (file) => (file instanceof Blob ? upload(file) : file)));
      const parts = uploaded.map(({ id, content_type: type }) => ({
        type: type.startsWith("image/") ? ("image" as const) : ("file" as const),
        file_id: id,
      }));
      return client.sendMessageAsync(sessionId, {
        parts: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...parts],
      });
    },
    answer: ({ messageId, key }: AskedInput, value: AnswerInputRequest["value"]): Promise<Message> =>
      client.answerInput(messageId, { key, value }),
    async cancel(messageId?: string): Promise<Message | undefined> {
      const ended: readonly string[] = ["completed", "failed", "cancelled"];
      const id = messageId ?? getState().messages.find(({ status }) => !ended.includes(status))?.id;
      return id === undefined ? undefined : client.cancelMessage(id);
    },
  };
}

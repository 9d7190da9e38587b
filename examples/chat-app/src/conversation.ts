// The session as a chat of the AI SDK. It is made outside of React, so that no render opens a second stream.

import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage } from "ai";
import { fetchDari, isPassing, readDari, type Access } from "./dari.ts";

export interface Metadata {
  message_id?: string;
  status?: string;
  error?: { code: string; message: string };
}
export type Message = UIMessage<Metadata>;

export interface Conversation {
  chat: Chat<Message>;
  /** Shows what the session has, and follows its running turn, through lost connections. */
  sync(): Promise<void>;
}

/** How long until a lost connection is tried again, in milliseconds. */
const pauseMs = 2_000;

function createTransport(api: string): DefaultChatTransport<Message> {
  return new DefaultChatTransport({
    api,
    fetch: fetchDari,
    prepareReconnectToStreamRequest: () => ({ api: `${api}/stream` }),
    // The platform has the conversation.
    prepareSendMessagesRequest: ({ messages, trigger, messageId }) => ({
      body: { messages: messages.slice(-4), trigger, messageId },
    }),
  });
}

/** `onFailure` gets why the session could not be loaded, and undefined when it is. */
export function openConversation(
  { apiUrl, sessionId }: Access,
  onFailure: (failure: string | undefined) => void,
): Conversation {
  const api = `${apiUrl}/v1/sessions/${sessionId}/ai-sdk`;
  let isSyncing = false;
  let isCut = false;
  /** Whether the request was cut before its message was accepted, as far as the page knows. */
  let isUnsent = false;

  const chat = new Chat<Message>({
    id: sessionId,
    transport: createTransport(api),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    onError(error) {
      isUnsent = isPassing(error);
      isCut = isUnsent || error instanceof TypeError || error.message.startsWith("the stream was cut");
      // The chat gets its status after this.
      if (isCut) setTimeout(() => void sync());
    },
  });

  const isRunning = (): boolean => chat.status === "submitted" || chat.status === "streaming";

  async function load(): Promise<void> {
    const { messages } = await readDari<{ messages: Message[] }>(`${api}/messages`);
    // Something was sent meanwhile.
    if (isRunning()) return;
    chat.messages = messages;
    chat.clearError();
    onFailure(undefined);
  }

  /** Sends the message whose sending was cut again. It has the same id, so the platform runs it once. */
  async function sendAgain(): Promise<boolean> {
    const last = chat.lastMessage;
    if (!isUnsent || last?.role !== "user" || last.id.startsWith("msg_")) return false;
    isCut = isUnsent = false;
    chat.messages = chat.messages.slice(0, -1);
    await chat.sendMessage(last);
    return true;
  }

  async function sync(): Promise<void> {
    if (isSyncing || isRunning()) return;
    isSyncing = true;
    do {
      try {
        if (await sendAgain()) continue;
        isCut = false;
        await load();
        if (!isRunning()) await chat.resumeStream();
        // The turn ended between the two requests.
        if (!isCut && chat.lastMessage?.role === "user") await load();
      } catch (error) {
        isCut = isPassing(error);
        onFailure(String(error));
      } finally {
        if (isCut) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } while (isCut);
    isSyncing = false;
  }

  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void sync());
  return { chat, sync };
}

// What a page can do with a session.

import {
  isTerminal,
  type AnswerInputRequest,
  type Client,
  type File as UploadedFile,
  type Message,
} from "@dari/client";
import type { ConversationStore } from "./conversation-store.ts";
import type { AskedInput } from "./shown.ts";

/** A file as `<input type="file">` has it. */
export type DariFile = Blob & { readonly name: string };

export interface Actions {
  /**
   * Sends a message. Resolves when the platform has accepted it; its turn then appears in `messages`. Files that are
   * not uploaded yet are uploaded first.
   */
  send(text: string, files?: readonly (DariFile | UploadedFile)[]): Promise<Message>;
  upload(file: DariFile): Promise<UploadedFile>;
  answer(input: AskedInput, value: AnswerInputRequest["value"]): Promise<Message>;
  /**
   * Stops a message, by default the oldest one that has not ended. One that `send` still sends is stopped once the
   * platform has accepted it. Resolves with undefined if there is none.
   */
  cancel(messageId?: string): Promise<Message | undefined>;
}

type ActionsClient = Pick<Client, "uploadFile" | "sendMessageAsync" | "answerInput" | "cancelMessage">;

export function createActions(
  client: ActionsClient,
  sessionId: string,
  conversation: Pick<ConversationStore, "getState" | "waitForMessage">,
): Actions {
  /** What was sent here and is not shown yet, the oldest first. */
  const sends = new Set<Promise<Message>>();
  const upload = (file: DariFile): Promise<UploadedFile> =>
    client.uploadFile({ filename: file.name, content: file, ...(file.type === "" ? {} : { contentType: file.type }) });

  async function send(text: string, files: readonly (DariFile | UploadedFile)[]): Promise<Message> {
    const uploaded = await Promise.all(files.map(async (file) => (file instanceof Blob ? upload(file) : file)));
    const parts = uploaded.map(({ id, content_type: type }) => ({
      type: type.startsWith("image/") ? ("image" as const) : ("file" as const),
      file_id: id,
    }));
    return client.sendMessageAsync(sessionId, {
      parts: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...parts],
    });
  }

  /** Remembers a message until the conversation has it, or it was refused. */
  async function track(sent: Promise<Message>): Promise<void> {
    sends.add(sent);
    const accepted = await sent.catch(() => undefined);
    if (accepted !== undefined) await conversation.waitForMessage(accepted.id);
    sends.delete(sent);
  }

  async function findSent(): Promise<string | undefined> {
    for (const sent of sends) {
      const accepted = await sent.catch(() => undefined);
      if (accepted !== undefined) return accepted.id;
    }
    return undefined;
  }

  return {
    upload,
    send(text, files = []) {
      const sent = send(text, files);
      void track(sent);
      return sent;
    },
    answer: ({ messageId, key }, value) => client.answerInput(messageId, { key, value }),
    async cancel(messageId) {
      const open = conversation.getState().messages.find((message) => !isTerminal(message));
      const id = messageId ?? open?.id ?? (await findSent());
      return id === undefined ? undefined : client.cancelMessage(id);
    },
  };
}

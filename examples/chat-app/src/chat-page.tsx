// The page: the conversation, what is typed next, and the session's files beside them.

import { useChat } from "@ai-sdk/react";
import { useEffect, useRef, useState } from "react";
import { Composer } from "./composer.tsx";
import type { Conversation } from "./conversation.ts";
import { readDari, upload } from "./dari.ts";
import { Files } from "./files.tsx";
import { MessageView } from "./message-view.tsx";

interface ChatPageProps {
  conversation: Conversation;
  sessionId: string;
  /** Why the conversation could not be loaded. */
  failure?: string | undefined;
}

/** `stop()` of the AI SDK only stops reading. */
async function cancel(messageId: string): Promise<void> {
  await readDari(`/v1/messages/${messageId}/cancel`, { method: "POST" });
}

export function ChatPage({ conversation: { chat }, sessionId, failure }: ChatPageProps) {
  const { messages, status, error, sendMessage, regenerate, addToolApprovalResponse } = useChat({ chat });
  const isRunning = status === "submitted" || status === "streaming";
  const last = messages.at(-1);
  const hasFailed = last?.metadata?.status === "failed" && !isRunning;
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // In newer browsers this returns a promise, which is no cleanup.
    void end.current?.scrollIntoView({ block: "end" });
  }, [messages]);

  async function send(text: string, files: File[]): Promise<void> {
    const parts = await Promise.all(files.map(upload));
    void sendMessage({ parts: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...parts] });
  }
  function stop(): void {
    setRefusal(undefined);
    setIsStopping(true);
  }
  const [isStopping, setIsStopping] = useState(false);
  const [refusal, setRefusal] = useState<string>();
  /** The message whose turn runs. Undefined until the platform has accepted it. */
  const runningId = isRunning && last?.role === "assistant" ? last.metadata?.message_id : undefined;
  useEffect(() => {
    if (!isStopping || (isRunning && runningId === undefined)) return;
    setIsStopping(false);
    if (runningId !== undefined) void cancel(runningId).catch((error: unknown) => setRefusal(String(error)));
  }, [isStopping, isRunning, runningId]);

  return (
    <div className="page">
      <main>
        <ol className="messages" aria-label="Conversation">
          {messages.map((message) => (
            <MessageView
              key={message.id}
              message={message}
              onDecide={(id, approved) => void addToolApprovalResponse({ id, approved })}
            />
          ))}
        </ol>
        {status === "submitted" && <p className="note">Thinking…</p>}
        {hasFailed && (
          <button className="again" onClick={() => void regenerate()}>
            Try again
          </button>
        )}
        {failure && (
          <p className="failure" role="alert">
            {failure}
          </p>
        )}
        {refusal && (
          <p className="failure" role="alert">
            {refusal}
          </p>
        )}
        {error && !hasFailed && (
          <p className="failure" role="alert">
            {error.message}
          </p>
        )}
        <div ref={end} />
        <Composer isRunning={isRunning} onSend={send} onStop={stop} />
      </main>
      <Files sessionId={sessionId} revision={`${messages.length} ${status}`} />
    </div>
  );
}
